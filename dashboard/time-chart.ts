import { svg } from "./element.ts";
import { linear, px, ticks } from "./scale.ts";

export const MARGIN = { left: 54, right: 10, top: 8, bottom: 20 };
const MINUTE_MS = 60_000;
/** A chart shows no less time. */
export const LEAST_SPAN_MS = MINUTE_MS;

export interface Line {
  readonly name: string;
  /** Class of its path and of its key. */
  readonly look: string;
  readonly values: readonly (number | null)[];
  /** Holds until the next point, instead of leading to it. */
  readonly isStepped?: boolean;
}

export interface Band {
  readonly name: string;
  readonly look: string;
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

export interface TimeChart {
  /** What it shows and its newest values, for who does not see it. */
  readonly label: string;
  readonly width: number;
  readonly height: number;
  readonly atMs: readonly number[];
  readonly lines: readonly Line[];
  readonly band?: Band;
  /** A level that has no time, such as the SLO. */
  readonly level?: { readonly name: string; readonly value: number };
  /** True: the axis starts at 0. */
  readonly fromZero: boolean;
  readonly format: (value: number) => string;
  /** A time that is pointed at; null: none is. */
  readonly pointedMs: number | null;
}

/** The time that a chart of these points shows: all of it, a minute at least. */
export function timeScale(atMs: readonly number[], width: number): (at: number) => number {
  const last = atMs.at(-1) ?? 0;
  const first = Math.min(atMs[0] ?? last, last - LEAST_SPAN_MS);
  return linear(first, last, MARGIN.left, width - MARGIN.right);
}

export function timeChart(chart: TimeChart): SVGElement {
  const { width, height, atMs, lines, band, level, format } = chart;
  const values = [
    ...lines.flatMap(line => line.values),
    ...(band ? [...band.low, ...band.high] : []),
    level?.value ?? null,
  ];
  const [from, to] = rangeOf(
    values.filter(value => value !== null),
    chart.fromZero,
  );
  const x = timeScale(atMs, width);
  const y = linear(from, to, height - MARGIN.bottom, MARGIN.top);
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.label },
    ...ticks(from, to).map(value => gridLine(width, y(value), format(value))),
    ...minuteMarks(atMs, width, height),
    ...(band ? [svg("path", { class: `band ${band.look}`, d: areaPath(atMs, band, x, y) })] : []),
    ...(level
      ? [svg("path", { class: "level", d: `M${MARGIN.left} ${px(y(level.value))}H${width - MARGIN.right}` })]
      : []),
    ...lines.map(line => svg("path", { class: `line ${line.look}`, d: linePath(atMs, line, x, y) })),
    ...pointer(chart.pointedMs, x, height),
  );
}

/** Where the pointer is. */
export function pointer(pointedMs: number | null, x: (at: number) => number, height: number): readonly SVGElement[] {
  if (pointedMs === null) return [];
  return [svg("path", { class: "pointer", d: `M${px(x(pointedMs))} ${MARGIN.top}V${height - MARGIN.bottom}` })];
}

/** Ends of the values with a little room. */
function rangeOf(values: readonly number[], fromZero: boolean): [number, number] {
  const least = fromZero ? 0 : Math.min(...values);
  const most = Math.max(...values);
  if (!Number.isFinite(least) || !Number.isFinite(most)) return [0, 1];
  const room = most > least ? 0.08 * (most - least) : Math.max(0.05 * Math.abs(most), 0.01);
  return [fromZero ? 0 : least - room, most + room];
}

function gridLine(width: number, y: number, text: string): SVGElement {
  return svg(
    "g",
    {},
    svg("path", { class: "grid", d: `M${MARGIN.left} ${px(y)}H${width - MARGIN.right}` }),
    svg("text", { x: MARGIN.left - 6, y: px(y + 4), "text-anchor": "end" }, text),
  );
}

/** How long ago, in whole minutes. */
export function minuteMarks(atMs: readonly number[], width: number, height: number): readonly SVGElement[] {
  const x = timeScale(atMs, width);
  const last = atMs.at(-1) ?? 0;
  const spanMs = Math.max(LEAST_SPAN_MS, last - (atMs[0] ?? last));
  const step = Math.max(1, Math.ceil(spanMs / MINUTE_MS / Math.max(2, width / 90)));
  const marks: SVGElement[] = [svg("text", { x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "now")];
  for (let minutes = step; minutes * MINUTE_MS <= spanMs; minutes += step) {
    const at = x(last - minutes * MINUTE_MS);
    const anchor = at < MARGIN.left + 20 ? "start" : "middle";
    marks.push(svg("text", { x: px(at), y: height - 4, "text-anchor": anchor }, `−${minutes} min`));
  }
  return marks;
}

function linePath(
  atMs: readonly number[],
  { values, isStepped }: Line,
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  let path = "";
  let isDown = false;
  values.forEach((value, i) => {
    if (value === null) {
      isDown = false;
      return;
    }
    const [left, top] = [px(x(atMs[i] ?? 0)), px(y(value))];
    path += !isDown ? `M${left} ${top}` : isStepped ? `H${left}V${top}` : `L${left} ${top}`;
    isDown = true;
  });
  return path;
}

function areaPath(
  atMs: readonly number[],
  { low, high }: Band,
  x: (at: number) => number,
  y: (value: number) => number,
): string {
  const runs: number[][] = [[]];
  low.forEach((value, i) => {
    if (value === null || (high[i] ?? null) === null) runs.push([]);
    else runs.at(-1)?.push(i);
  });
  const corner = (values: readonly (number | null)[], i: number) => `${px(x(atMs[i] ?? 0))} ${px(y(values[i] ?? 0))}`;
  return runs
    .filter(run => run.length > 1)
    .map(run => `M${[...run.map(i => corner(high, i)), ...run.toReversed().map(i => corner(low, i))].join("L")}Z`)
    .join("");
}
