import type { MeasurementsInput } from "../../domain/profile-schema.ts";
import { escaped, px, short } from "../svg-text.ts";

const WIDTH = 960;
const TOP = 64;
/** Of the two charts of a stage, and what is around them. */
const CHART_WIDTH = 380;
const CHART_HEIGHT = 240;
const STAGE_HEIGHT = 350;
const LEFTS = [72, 552] as const;
const COLOURS = ["#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#0a7ea4", "#bf3989", "#57606a"] as const;
/** Of the line, which is bent where both axes are logarithmic. */
const LINE_STEPS = 32;

type Profiles = MeasurementsInput["stages"][string];
type Profile = Profiles[string];

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly { readonly batch: number; readonly value: number }[];
  /** What the fitted line says; null: there is none. */
  readonly lineAt: ((batch: number) => number) | null;
}

interface Axes {
  readonly x: (batch: number) => number;
  readonly y: (value: number) => number;
}

/** Service time and throughput by batch of every variant, a row of two charts for each stage, as one SVG that needs no other file. */
export function profilePicture({ stages, machine, date, noise }: MeasurementsInput): string {
  const all = Object.entries(stages);
  const height = TOP + all.length * STAGE_HEIGHT;
  const where = [machine["cores"] ?? "?", "×", machine["cpu"] ?? "?"].join(" ");
  const heading = `Service time and throughput by batch, ${where}, ${date.slice(0, 10)}${noise ? ", too noisy" : ""}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(heading)}">`,
    "<style>text{font:12px system-ui,sans-serif;fill:#333}.head{font-size:14px;font-weight:600}.grid{stroke:#ddd;fill:none}.measured{fill:none;stroke-width:2}.line{fill:none;stroke-width:1;stroke-dasharray:4 3}</style>",
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text class="head" x="${LEFTS[0]}" y="22">${escaped(heading)}</text>`,
    `<text x="${LEFTS[0]}" y="42">dots: measured, as plans take it; dashed: a part of each batch and a part of each row</text>`,
    ...all.flatMap(([stage, profiles], i) => stageRow(stage, profiles, TOP + i * STAGE_HEIGHT)),
    "</svg>",
    "",
  ].join("\n");
}

function stageRow(stage: string, profiles: Profiles, top: number): string[] {
  const named = Object.entries(profiles).map(
    ([name, profile], i) => [name, profile, COLOURS[i % COLOURS.length] ?? COLOURS[0]] as const,
  );
  const times = named.map(([name, profile, colour]) => seriesOf(name, colour, profile, (_batch, ms) => ms));
  const rates = named.map(([name, profile, colour]) =>
    seriesOf(name, colour, profile, (batch, ms) => (1000 * batch) / ms),
  );
  const names = named.map(([name, , colour]) => `<tspan fill="${colour}" dx="12">${escaped(name)}</tspan>`);
  return [
    `<text x="${LEFTS[0]}" y="${top + 16}"><tspan class="head">${escaped(stage)}</tspan>${names.join("")}</text>`,
    ...chart(times, LEFTS[0], top + 32, "ms a batch"),
    ...chart(rates, LEFTS[1], top + 32, "rows a second"),
  ];
}

function seriesOf(
  name: string,
  colour: string,
  { points, fit }: Profile,
  shown: (batch: number, ms: number) => number,
): Series {
  return {
    ...{ name, colour },
    points: points.map(({ batch, latencyMs }) => ({ batch, value: shown(batch, latencyMs) })),
    lineAt: fit ? batch => shown(batch, fit.fixedMs + fit.rowMs * batch) : null,
  };
}

function chart(all: readonly Series[], left: number, top: number, what: string): string[] {
  const batches = [...new Set(all.flatMap(({ points }) => points.map(({ batch }) => batch)))].sort((a, b) => a - b);
  const values = all.flatMap(({ points }) => points.map(({ value }) => value));
  const [least, most] = [Math.min(...values) / 1.2, Math.max(...values) * 1.2];
  const last = Math.max(2, batches.at(-1) ?? 1);
  const bottom = top + CHART_HEIGHT;
  const axes: Axes = {
    x: batch => left + (Math.log(batch) / Math.log(last)) * CHART_WIDTH,
    y: value => bottom - (Math.log(value / least) / Math.log(most / least)) * CHART_HEIGHT,
  };
  return [
    ...batches.map(
      batch =>
        `<path class="grid" d="M${px(axes.x(batch))} ${top}V${bottom}"/><text x="${px(axes.x(batch))}" y="${bottom + 18}" text-anchor="middle">${batch}</text>`,
    ),
    ...ticksOf(least, most).map(
      value =>
        `<path class="grid" d="M${left} ${px(axes.y(value))}H${left + CHART_WIDTH}"/><text x="${left - 8}" y="${px(axes.y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
    ),
    `<text x="${left + CHART_WIDTH / 2}" y="${bottom + 38}" text-anchor="middle">rows in the batch</text>`,
    `<text transform="translate(${left - 60} ${top + CHART_HEIGHT / 2}) rotate(-90)" text-anchor="middle">${what}</text>`,
    ...all.flatMap(series => drawn(series, axes, [least, most])),
  ];
}

function drawn({ name, colour, points, lineAt }: Series, { x, y }: Axes, [least, most]: [number, number]): string[] {
  const dots = points.map(
    ({ batch, value }) =>
      `<circle cx="${px(x(batch))}" cy="${px(y(value))}" r="4" fill="${colour}"><title>${escaped(name)}, batch ${batch}: ${short(value)}</title></circle>`,
  );
  const path = points.map(({ batch, value }) => `${px(x(batch))} ${px(y(value))}`).join("L");
  const [first = 1, last = 1] = [points[0]?.batch, points.at(-1)?.batch];
  const steps = Array.from({ length: LINE_STEPS + 1 }, (_, i) => first * (last / first) ** (i / LINE_STEPS));
  // A line below 0 at small batches has no place on a logarithmic axis.
  const fitted = steps
    .map(batch => ({ batch, value: lineAt?.(batch) ?? Number.NaN }))
    .filter(({ value }) => value >= least && value <= most)
    .map(({ batch, value }) => `${px(x(batch))} ${px(y(value))}`);
  return [
    `<path class="measured" stroke="${colour}" d="M${path}"/>`,
    ...(fitted.length > 1 ? [`<path class="line" stroke="${colour}" d="M${fitted.join("L")}"/>`] : []),
    ...dots,
  ];
}

/** 1, 2 and 5 times powers of ten between two ends. */
function ticksOf(least: number, most: number): number[] {
  const ticks: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= most; power *= 10)
    ticks.push(...[1, 2, 5].map(times => times * power).filter(value => value >= least && value <= most));
  return ticks;
}
