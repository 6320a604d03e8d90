import { number, percent } from "../explanation/number-text.ts";
import { element, svg } from "./element.ts";
import { type Point, peaksThatCame } from "./history.ts";
import type { ExplainedDecision, LiveView, PipelineColumn } from "./live-view.ts";
import { type TimeChart, timeChart } from "./time-chart.ts";

type Drawing = Omit<TimeChart, "width" | "atMs" | "label" | "pointedMs"> & { readonly title: string };

/** What a chart of time is drawn from. */
export interface Times {
  readonly points: readonly Point[];
  /** A time that is pointed at: values are those of then; null: the newest. */
  readonly pointedMs: number | null;
}

/** Load with the band of its forecasts, and the rate that was planned for. */
export function drawLoad(host: HTMLElement, times: Times): void {
  const { points } = times;
  draw(host, times, {
    title: "requests per second",
    height: 190,
    band: {
      name: "forecast of the highest second ahead, median to 99 %",
      look: "forecast",
      low: column(points, "peakP50Rps"),
      high: column(points, "peakP99Rps"),
    },
    lines: [
      { name: "load", look: "one", values: column(points, "loadRps") },
      { name: "highest second that came", look: "two", values: peaksThatCame(points) },
      { name: "planned for", look: "three", values: column(points, "planRps"), isStepped: true },
    ],
    fromZero: true,
    format: number,
  });
}

export function drawAccuracy(host: HTMLElement, times: Times): void {
  const { points } = times;
  const estimated = column(points, "estimatedAccuracy");
  draw(host, times, {
    title: "accuracy of the plan, and share of requests that were answered in time",
    height: 105,
    lines: [
      { name: "of what is answered", look: "one", values: column(points, "accuracy"), isStepped: true },
      { name: "right and in time", look: "three", values: column(points, "effectiveAccuracy"), isStepped: true },
      ...(estimated.some(share => share !== null)
        ? [{ name: "of late, as answers show", look: "four", values: estimated }]
        : []),
      { name: "measured: in time", look: "two", values: column(points, "inTime") },
    ],
    fromZero: false,
    format: percent,
  });
}

/** @param explained the newest decision that was explained; null: none was yet. */
export function drawCores(host: HTMLElement, times: Times, explained: ExplainedDecision | null): void {
  const { points } = times;
  const heaviest = explained?.analysis.heaviest;
  draw(host, times, {
    title: "cores of the plan",
    height: 105,
    lines: [{ name: "plan", look: "one", values: column(points, "cores"), isStepped: true }],
    ...(heaviest?.feasible && { level: { name: "with the heaviest variants, now", value: heaviest.cores } }),
    fromZero: true,
    format: number,
  });
}

export function drawLatency(host: HTMLElement, times: Times, { slo }: LiveView): void {
  const { points } = times;
  draw(host, times, {
    title: `milliseconds; the plan is for ${percent(slo.quantile)} of requests`,
    height: 105,
    lines: [
      { name: "99 % measured in a minute", look: "one", values: column(points, "p99Ms") },
      { name: "predicted", look: "three", values: column(points, "latencyMs"), isStepped: true },
    ],
    level: { name: "SLO", value: slo.latencyMs },
    fromZero: true,
    format: number,
  });
}

function column(points: readonly Point[], name: PipelineColumn): readonly (number | null)[] {
  return points.map(point => point.values[name]);
}

/** The chart as wide as its place, and below it the names with their values. */
function draw(host: HTMLElement, { points, pointedMs }: Times, { title, ...drawing }: Drawing): void {
  const index = pointedMs === null ? -1 : points.findIndex(({ atMs }) => atMs === pointedMs);
  const valueNow = (values: readonly (number | null)[]): string => {
    const value = values.at(index) ?? null;
    return value === null ? "–" : drawing.format(value);
  };
  const keys = [
    ...drawing.lines.map(({ name, look, values }) => ({ look: `line ${look}`, text: name, value: valueNow(values) })),
    ...(drawing.band
      ? [
          {
            look: `band ${drawing.band.look}`,
            text: drawing.band.name,
            value: `${valueNow(drawing.band.low)} to ${valueNow(drawing.band.high)}`,
          },
        ]
      : []),
    ...(drawing.level ? [{ look: "level", text: drawing.level.name, value: drawing.format(drawing.level.value) }] : []),
  ];
  const label = `${title}. ${keys.map(({ text, value }) => `${text}: ${value}`).join(", ")}`;
  const width = Math.max(240, host.clientWidth);
  const atMs = points.map(point => point.atMs);
  const chart = timeChart({ ...drawing, width, atMs, label, pointedMs: index < 0 ? null : pointedMs });
  const legend = keys.map(({ look, text, value }) =>
    element("li", {}, keyMark(look), ` ${text} `, element("b", {}, value)),
  );
  host.replaceChildren(chart, element("ul", { class: "legend" }, ...legend));
}

function keyMark(look: string): SVGElement {
  const shape = look.startsWith("band")
    ? svg("rect", { class: look, x: 0, y: 1, width: 18, height: 8 })
    : svg("path", { class: look, d: "M0 5H18" });
  return svg("svg", { width: 18, height: 10, "aria-hidden": "true" }, shape);
}
