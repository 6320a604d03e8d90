import { formatKey } from "../../domain/pipeline.ts";
import type { Plan, StagePlan } from "../../domain/plan.ts";
import { sharesText } from "../../explanation/plan-text.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { findMixedFront } from "../../optimizer/mix/mixed-front.ts";
import type { ParetoFront } from "../../optimizer/pareto.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { escaped, px, short } from "../svg-text.ts";

const WIDTH = 760;
const HEIGHT = 440;
const LEFT = 64;
const RIGHT = 24;
const TOP = 56;
const BOTTOM = 56;
const MOST_TICKS = 8;

interface Mark {
  readonly kind: "front" | "mixed" | "plan" | "current";
  readonly title: string;
  readonly cores: number;
  readonly accuracy: number;
  readonly accuracyText: string;
}

/** Accuracy against cores of every plan that is worth having at a load, as one SVG, or one HTML page, that needs no other file. */
export function paretoPicture(problem: Problem, plan: Plan, front: ParetoFront, isPage: boolean): string {
  const marks = marksOf(problem, plan, front);
  const heading = `${formatKey(problem.pipeline.key)} at ${short(problem.rateRps)} rps, within ${short(problem.pipeline.slo.latencyMs)} ms for ${short(100 * problem.pipeline.slo.quantile)} % of requests`;
  const svg = svgOf(heading, marks, front);
  if (!isPage) return svg;
  const rows = marks.map(
    mark =>
      `<tr><td>${NAMES[mark.kind]}</td><td>${short(mark.cores)}</td><td>${mark.accuracyText}</td><td>${escaped(mark.title)}</td></tr>`,
  );
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8"><title>${escaped(heading)}</title>`,
    "<style>body{font:14px system-ui,sans-serif;max-width:60em;margin:2em auto;color-scheme:light dark}td,th{padding:.2em .8em;text-align:left}</style>",
    "</head><body>",
    svg,
    `<table><thead><tr><th>plan</th><th>cores</th><th>accuracy</th><th>stages</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`,
    "</body></html>",
    "",
  ].join("\n");
}

const NAMES: Readonly<Record<Mark["kind"], string>> = {
  front: "possible",
  mixed: "mixed",
  plan: "chosen",
  current: "served now",
};

function marksOf(problem: Problem, plan: Plan, front: ParetoFront): Mark[] {
  const markOf = (kind: Mark["kind"], { stages, cores, accuracy, isAccuracyKnown }: Plan): Mark => ({
    kind,
    title: stages.map(stageText).join(" → "),
    cores,
    accuracy,
    accuracyText: formatAccuracy(accuracy, isAccuracyKnown),
  });
  const current = problem.current ? [markOf("current", evaluate(problem, problem.current))] : [];
  const mixed = findMixedFront(problem, front.plans).map(
    ({ stages, cores, mix }): Mark => ({
      kind: "mixed",
      title: `${stages.map(stageText).join(" → ")}; serves at most ${sharesText(mix)}`,
      cores,
      accuracy: mix.accuracy,
      accuracyText: formatAccuracy(mix.accuracy, mix.isAccuracyKnown),
    }),
  );
  return [...front.plans.map(other => markOf("front", other)), ...mixed, ...current, markOf("plan", plan)];
}

function formatAccuracy(accuracy: number, isKnown: boolean): string {
  return isKnown ? `${(100 * accuracy).toFixed(2)} %` : "accuracy not measured";
}

function stageText({ stage, parts }: StagePlan): string {
  return `${stage}: ${parts.map(({ variant, batch, replicas }) => `${variant} × ${replicas}, batch ${batch}`).join(" + ")}`;
}

function svgOf(heading: string, marks: readonly Mark[], front: ParetoFront): string {
  const [fromCores, toCores] = rangeOf(marks.map(mark => mark.cores));
  const [fromAccuracy, toAccuracy] = rangeOf(marks.map(mark => mark.accuracy));
  const x = (cores: number) => LEFT + ((cores - fromCores) / (toCores - fromCores)) * (WIDTH - LEFT - RIGHT);
  const y = (accuracy: number) =>
    HEIGHT - BOTTOM - ((accuracy - fromAccuracy) / (toAccuracy - fromAccuracy)) * (HEIGHT - TOP - BOTTOM);
  const grid = [
    ...ticksOf(fromCores, toCores).map(
      cores =>
        `<path class="grid" d="M${px(x(cores))} ${TOP}V${HEIGHT - BOTTOM}"/><text x="${px(x(cores))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(cores)}</text>`,
    ),
    ...ticksOf(100 * fromAccuracy, 100 * toAccuracy).map(
      percent =>
        `<path class="grid" d="M${LEFT} ${px(y(percent / 100))}H${WIDTH - RIGHT}"/><text x="${LEFT - 8}" y="${px(y(percent / 100) + 4)}" text-anchor="end">${short(percent)}</text>`,
    ),
  ];
  const stairs = front.plans.map(({ cores, accuracy }, i) =>
    i === 0 ? `M${px(x(cores))} ${px(y(accuracy))}` : `H${px(x(cores))}V${px(y(accuracy))}`,
  );
  const dots = marks.map(
    ({ kind, title, cores, accuracy, accuracyText }) =>
      `<circle class="${kind}" cx="${px(x(cores))}" cy="${px(y(accuracy))}" r="${kind === "front" || kind === "mixed" ? 4 : 7}"><title>${escaped(`${NAMES[kind]}: ${short(cores)} cores, ${accuracyText}. ${title}`)}</title></circle>`,
  );
  const note = front.isWhole ? "every plan that no other beats" : "not all plans, or not all proven";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(heading)}">`,
    "<style>text{font:12px system-ui,sans-serif;fill:#333}.head{font-size:14px;font-weight:600}.grid{stroke:#ccc;fill:none}.stairs{stroke:#1f6feb;fill:none;stroke-width:2}.front{fill:#1f6feb}.mixed{fill:#fff;stroke:#1f6feb;stroke-width:2}.plan{fill:none;stroke:#d1242f;stroke-width:3}.current{fill:none;stroke:#8250df;stroke-width:3}</style>",
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text class="head" x="${LEFT}" y="22">${escaped(heading)}</text>`,
    `<text x="${LEFT}" y="40">blue: ${note}${marks.some(({ kind }) => kind === "mixed") ? "; hollow: at most, with lighter variants where there is no time for heavier ones" : ""}; red: chosen${marks.some(({ kind }) => kind === "current") ? "; violet: served now" : ""}</text>`,
    ...grid,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">cores</text>`,
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">accuracy, %</text>`,
    `<path class="stairs" d="${stairs.join("")}"/>`,
    ...dots,
    "</svg>",
    "",
  ].join("\n");
}

/** A little more than from the least to the most. */
function rangeOf(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = most > least ? 0.06 * (most - least) : Math.max(0.5 * Math.abs(most), 0.01);
  return [Math.max(0, least - margin), most + margin];
}

/** Round numbers between two ends: 1, 2 or 5 times a power of ten apart. */
function ticksOf(from: number, to: number): number[] {
  const least = (to - from) / MOST_TICKS;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find(times => times * power >= least) ?? 10);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step);
}
