import { element, svg } from "./element.ts";
import { decisionsOf, type Point } from "./history.ts";
import type { LiveView } from "./live-view.ts";
import { px } from "./scale.ts";
import { MARGIN, minuteMarks, timeScale } from "./time-axis.ts";

const ROW = 40;
const BAR = 20;
/** Colours that variants of one stage have, by their place in the pipeline file. */
const COLOURS = 8;

interface Run {
  readonly fromMs: number;
  readonly toMs: number;
  readonly variant: number | null;
  readonly replicas: number | null;
}

/**
 * What every stage served when, and its decisions.
 *
 * @param pointedMs a time that is pointed at; null: none is.
 * @param picked decision that is explained; null: the newest.
 */
export function drawTimeline(
  host: HTMLElement,
  points: readonly Point[],
  { stages }: LiveView,
  pointedMs: number | null,
  picked: string | null,
): void {
  const width = Math.max(240, host.clientWidth);
  const height = stages.length * ROW + 22 + MARGIN.bottom;
  const atMs = points.map(point => point.atMs);
  const x = timeScale(atMs, width);
  const decisions = decisionsOf(points);
  const rows = stages.flatMap(({ stage, variants }, s) => [
    svg("text", { x: 0, y: s * ROW + 12, class: "name" }, stage),
    ...runsOf(points, s).map(run => bar(run, variants, s, x)),
  ]);
  const marks = decisions.map(({ decisionId, atMs: at, changes }) => {
    const look = `decision${changes ? " changes" : ""}${decisionId === picked ? " picked" : ""}`;
    return svg("path", {
      class: look,
      d: `M${px(x(at))} ${stages.length * ROW + (changes ? 2 : 8)}V${stages.length * ROW + 18}`,
    });
  });
  const words = stages.map(({ stage, variants }, s) => `${stage}: ${runText(runsOf(points, s).at(-1), variants)}`);
  const drawing = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Served now. ${words.join("; ")}` },
    ...rows,
    ...marks,
    ...(pointedMs === null ? [] : [pointer(x(pointedMs), height)]),
    ...minuteMarks(atMs, width).map(mark =>
      svg("text", { x: px(x(mark.atMs)), y: height - 4, "text-anchor": "middle" }, mark.text),
    ),
  );
  host.replaceChildren(
    drawing,
    ...stages.map(({ stage, variants }, s) => colourKey(stage, variants, runsOf(points, s))),
    element(
      "p",
      { class: "hint" },
      "Marks below are decisions, tall ones changed something: click one, or take it from the list.",
    ),
  );
}

function pointer(left: number, height: number): SVGElement {
  return svg("path", { class: "pointer", d: `M${px(left)} ${MARGIN.top}V${height - MARGIN.bottom}` });
}

function bar(
  { fromMs, toMs, variant, replicas }: Run,
  variants: readonly string[],
  s: number,
  x: (at: number) => number,
): SVGElement {
  const [left, right] = [x(fromMs), x(toMs)];
  const text = runText({ fromMs, toMs, variant, replicas }, variants);
  // A label where it fits, about 7 px a letter.
  const label = right - left > 7 * text.length + 8 ? [svg("text", { x: px(left + 5), y: s * ROW + 31 }, text)] : [];
  return svg(
    "g",
    { class: `bar ${lookOf(variant)}` },
    svg(
      "rect",
      { x: px(left), y: s * ROW + 17, width: px(Math.max(1, right - left)), height: BAR },
      svg("title", {}, text),
    ),
    ...label,
  );
}

/** The colours of the variants that a stage served in the time that is shown. */
function colourKey(stage: string, variants: readonly string[], runs: readonly Run[]): HTMLElement {
  const served = [...new Set(runs.map(run => run.variant))].filter(variant => variant !== null);
  const keys = served
    .toSorted((a, b) => a - b)
    .map(variant => {
      const square = svg("rect", { width: 10, height: 10 });
      const mark = svg(
        "svg",
        { width: 10, height: 10, "aria-hidden": "true" },
        svg("g", { class: `bar ${lookOf(variant)}` }, square),
      );
      return element("li", {}, mark, ` ${variants[variant] ?? "?"}`);
    });
  return element("ul", { class: "legend" }, element("li", {}, element("b", {}, stage)), ...keys);
}

function lookOf(variant: number | null): string {
  return variant === null ? "none" : `v${variant % COLOURS}`;
}

function runText(run: Run | undefined, variants: readonly string[]): string {
  if (!run) return "nothing is known";
  const { variant, replicas } = run;
  return `${variant === null ? "nothing" : (variants[variant] ?? "?")} × ${replicas ?? "?"}`;
}

/** Times in which a stage served the same variant with the same replicas. */
function runsOf(points: readonly Point[], s: number): readonly Run[] {
  const runs: Run[] = [];
  for (const { atMs, stages } of points) {
    const { variant = null, replicasNow: replicas = null } = stages[s] ?? {};
    const last = runs.at(-1);
    if (last) runs[runs.length - 1] = { ...last, toMs: atMs };
    if (last?.variant === variant && last.replicas === replicas) continue;
    runs.push({ fromMs: atMs, toMs: atMs, variant, replicas });
  }
  return runs;
}
