import type { LabelOption, LabelProblem } from "./label-problem.ts";
import type { Shape } from "./label-shape.ts";
import { SLACK } from "./totals.ts";

/** A choice for the first stages. */
export interface Label {
  readonly before: Label | null;
  readonly option: LabelOption | null;
  readonly price: number;
  readonly accuracy: number;
  /** Latency by path shares. */
  readonly pathMs: number;
  readonly uses: readonly number[];
  /** When the stages that others still wait for are done, and their rows. */
  readonly doneMs: readonly number[];
  readonly rows: readonly number[];
  /** Labels with different keys go on differently, whatever they cost. */
  readonly key: string;
  /** The variants so far, where a table may know how accurate they are. */
  readonly tabled: readonly string[] | null;
  /** Upper bound on every choice that starts so. */
  bound: number;
}

const ROOT = { before: null, option: null, price: 0, pathMs: 0, doneMs: [], rows: [], key: "" };

export function rootOf(problem: LabelProblem): Label {
  const uses = problem.limits.map(() => 0);
  return { ...ROOT, accuracy: problem.start, uses, tabled: problem.table ? [] : null, bound: Infinity };
}

export function rowsOf(problem: LabelProblem, shape: Shape, k: number, label: Label): number {
  const stage = problem.stages[k];
  if (!stage) return 0;
  if (stage.upstream < 0) return Math.min(MOST_ROWS, stage.fanOut(null));
  const rows = label.rows[shape.upstreamAt[k] ?? -1] ?? 0;
  return Math.min(MOST_ROWS, rows * stage.fanOut(variantAt(label, k, stage.upstream)));
}

const MOST_ROWS = 1e12;

/** The variant that a label of `k` stages has for stage `s`. */
function variantAt(label: Label, k: number, s: number): string {
  let at: Label | null = label;
  for (let i = k - 1; i > s; i--) at = at?.before ?? null;
  return at?.option?.variant ?? "";
}

/** The label with one more stage; null: a limit can't be kept. */
export function extend(
  problem: LabelProblem,
  shape: Shape,
  k: number,
  label: Label,
  option: LabelOption,
): Label | null {
  let startMs = 0;
  for (const at of shape.afterAt[k] ?? []) startMs = Math.max(startMs, label.doneMs[at] ?? 0);
  const doneMs = startMs + option.latencyMs;
  if (doneMs + (shape.tailMs[k] ?? 0) > problem.latencyMs) return null;
  const uses = label.uses.length === 0 ? label.uses : label.uses.map((used, r) => used + (option.uses[r] ?? 0));
  const leastUses = shape.leastUses[k + 1];
  for (const [r, used] of uses.entries())
    if (used + (leastUses?.[r] ?? 0) > (problem.limits[r] ?? Infinity) + SLACK) return null;
  const accuracy = option.slope * label.accuracy + option.offset;
  const tabled = tabledWith(problem, label, option);
  if (problem.minAccuracy > -Infinity && !isAccurate(problem, shape, k, accuracy, tabled)) return null;
  const rows = shape.rowsVary ? rowsOf(problem, shape, k, label) : 0;
  const keptFrom = shape.keptFrom[k] ?? [];
  const isKeyed = tabled !== null || shape.rowsVary;
  return {
    before: label,
    option,
    price: label.price + option.price,
    accuracy,
    pathMs: label.pathMs + (shape.loose[k]?.pathShare ?? 1) * option.latencyMs,
    uses,
    doneMs: keptFrom.map(at => (at < 0 ? doneMs : (label.doneMs[at] ?? 0))),
    rows: shape.rowsVary ? keptFrom.map(at => (at < 0 ? rows : (label.rows[at] ?? 0))) : [],
    key: isKeyed ? keyOf(shape, k, label, option, rows, tabled) : "",
    tabled,
    bound: Infinity,
  };
}

function tabledWith({ table }: LabelProblem, label: Label, option: LabelOption): readonly string[] | null {
  if (label.tabled === null || table === null) return null;
  const variants = [...label.tabled, option.variant];
  return table.isMeasured(variants) ? variants : null;
}

function isAccurate(
  problem: LabelProblem,
  shape: Shape,
  k: number,
  accuracy: number,
  tabled: readonly string[] | null,
): boolean {
  const { slope, offset } = shape.mostAccuracy[k + 1] ?? { slope: 1, offset: 0 };
  const stepped = slope * accuracy + offset;
  const most = tabled && problem.table ? problem.table.most(tabled) : -Infinity;
  const isLast = k + 1 === problem.stages.length;
  return (tabled && isLast ? most : Math.max(most, stepped)) >= problem.minAccuracy - SLACK;
}

function keyOf(
  shape: Shape,
  k: number,
  label: Label,
  option: LabelOption,
  rows: number,
  tabled: readonly string[] | null,
): string {
  if (tabled !== null) return tabled.join("\n");
  const parts = (shape.open[k + 1] ?? []).map(s => {
    const variant = shape.decides[s] ? (s === k ? option.variant : variantAt(label, k, s)) : "";
    const at = (shape.open[k] ?? []).indexOf(s);
    return `${variant}*${s === k ? rows : (label.rows[at] ?? 0)}`;
  });
  return parts.join("\n");
}

export function optionsOf(label: Label): LabelOption[] {
  const options: LabelOption[] = [];
  for (let at: Label | null = label; at?.option; at = at.before) options.push(at.option);
  return options.reverse();
}

/** The label of a whole choice with its objective as the bound; null: it breaks a limit, or is not for these rows. */
export function follow(problem: LabelProblem, shape: Shape, options: readonly LabelOption[]): Label | null {
  let label: Label | null = rootOf(problem);
  if (options.length < problem.stages.length) return null;
  for (const [k, loose] of options.entries()) {
    const option: LabelOption | undefined = shape.rowsVary
      ? problem.stages[k]?.optionsAt(rowsOf(problem, shape, k, label)).find(other => other.key === loose.key)
      : loose;
    label = option ? extend(problem, shape, k, label, option) : null;
    if (label === null) return null;
  }
  label.bound = objectiveOf(problem, label);
  return label;
}

export function objectiveOf(problem: LabelProblem, label: Label): number {
  const accuracy = label.tabled && problem.table ? problem.table.of(label.tabled) : label.accuracy;
  return problem.worth * accuracy - label.price;
}
