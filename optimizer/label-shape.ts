import type { LooseStage } from "./label-bound.ts";
import type { FrontShape } from "./label-front.ts";
import type { LabelOption, LabelProblem } from "./label-problem.ts";

/** What does not change during a search. */
export interface Shape {
  readonly loose: readonly LooseStage[];
  readonly front: FrontShape;
  /** Entry k: the stages before k that a stage from k on waits for. */
  readonly open: readonly (readonly number[])[];
  /** Entry k: where in open[k] the stage's own upstream and what it waits for are; −1: nowhere. */
  readonly upstreamAt: readonly number[];
  readonly afterAt: readonly (readonly number[])[];
  /** Entry k: for each of open[k + 1], where it is in open[k]; −1: it is stage k itself. */
  readonly keptFrom: readonly (readonly number[])[];
  /** Shortest time from the end of a stage to the end of the request. */
  readonly tailMs: readonly number[];
  /** Least of every resource that the stages from k on use. */
  readonly leastUses: readonly (readonly number[])[];
  /** The stage's variant decides about rows further on. */
  readonly decides: readonly boolean[];
  readonly rowsVary: boolean;
  /** Entry k: final accuracy is at most slope · accuracy + offset. */
  readonly mostAccuracy: readonly { readonly slope: number; readonly offset: number }[];
}

export function shapeOf(problem: LabelProblem): Shape {
  const { stages } = problem;
  const indices = stages.map((_, k) => k);
  const isOpen = (s: number, k: number) =>
    s < k && stages.some(({ after, upstream }, t) => t >= k && (after.includes(s) || upstream === s));
  const open = [...indices, stages.length].map(k => indices.filter(s => isOpen(s, k)));
  const shares = pathShares(problem);
  const loose = stages.map((_, k) => ({ options: looseOptions(problem, k), pathShare: shares[k] ?? 0 }));
  const leastOf = (k: number, of: (option: LabelOption) => number) =>
    (loose[k]?.options ?? []).reduce((least, option) => Math.min(least, of(option)), Infinity);
  const tailMs = stages.map(() => 0);
  for (const s of indices.toReversed())
    for (const [t, { after }] of stages.entries())
      if (after.includes(s)) tailMs[s] = Math.max(tailMs[s] ?? 0, leastOf(t, o => o.latencyMs) + (tailMs[t] ?? 0));
  const leastUses = [problem.limits.map(() => 0)];
  const mostAccuracy = [{ slope: 1, offset: 0 }];
  for (const k of indices.toReversed()) {
    leastUses.unshift(problem.limits.map((_, r) => (leastUses[0]?.[r] ?? 0) + leastOf(k, o => o.uses[r] ?? 0)));
    const rest = mostAccuracy[0] ?? { slope: 1, offset: 0 };
    const slope = -leastOf(k, o => -o.slope);
    const offset = -leastOf(k, o => -o.offset);
    mostAccuracy.unshift({ slope: rest.slope * slope, offset: rest.slope * offset + rest.offset });
  }
  return {
    loose,
    front: { isChain: open.every(list => list.length <= 1), uses: problem.limits.length },
    open,
    upstreamAt: stages.map(({ upstream }, k) => (open[k] ?? []).indexOf(upstream)),
    afterAt: stages.map(({ after }, k) => after.map(s => (open[k] ?? []).indexOf(s))),
    keptFrom: indices.map(k => (open[k + 1] ?? []).map(s => (open[k] ?? []).indexOf(s))),
    tailMs,
    leastUses,
    decides: indices.map(s => stages.some(({ upstream, followsVariant }) => upstream === s && followsVariant)),
    rowsVary: stages.some(({ rows: [fewest, most] }) => fewest !== most),
    mostAccuracy,
  };
}

/** The options of a stage with the price of the fewest rows and the latency of the most. */
function looseOptions(problem: LabelProblem, k: number): LabelOption[] {
  const stage = problem.stages[k];
  if (!stage) return [];
  const [fewest, most] = stage.rows;
  const options = stage.optionsAt(fewest);
  if (fewest === most) return efficient(problem, k, options);
  const atMost = new Map(stage.optionsAt(most).map(option => [option.key, option.latencyMs]));
  return options.map(option => ({
    ...option,
    latencyMs: Math.min(option.latencyMs, option.leastMs ?? atMost.get(option.key) ?? 0),
  }));
}

/** The Pareto filter of a stage: without options that another one beats in everything. */
function efficient(problem: LabelProblem, k: number, options: readonly LabelOption[]): LabelOption[] {
  const isFollowed = problem.stages.some(({ upstream, followsVariant }) => upstream === k && followsVariant);
  const isFree = problem.table === null && !isFollowed;
  const kept: LabelOption[] = [];
  const groups = new Map<string, LabelOption[]>();
  for (const option of options.toSorted((a, b) => a.price - b.price || a.latencyMs - b.latencyMs)) {
    // Votes are in no table: they are compared with one another.
    const key = isFree ? "" : option.isVote && !isFollowed ? VOTES : option.variant;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    if (group.some(other => beats(other, option))) continue;
    group.push(option);
    kept.push(option);
  }
  return kept;
}

/** No variant's name. */
const VOTES = "+";

function beats(a: LabelOption, b: LabelOption): boolean {
  return (
    a.price <= b.price &&
    a.latencyMs <= b.latencyMs &&
    a.offset >= b.offset &&
    a.slope + a.offset >= b.slope + b.offset &&
    a.slope >= b.slope - (a.offset - b.offset) &&
    a.uses.every((use, r) => use <= (b.uses[r] ?? 0))
  );
}

/** Share of the paths from a first to a last stage that lead through each stage: the longest path is never below the mean one. */
function pathShares({ stages }: LabelProblem): number[] {
  const into = stages.map(() => 0);
  const outOf = stages.map(() => 0);
  for (const [k, { after }] of stages.entries())
    into[k] = after.length === 0 ? 1 : after.reduce((sum, s) => sum + (into[s] ?? 0), 0);
  for (let k = stages.length - 1; k >= 0; k--) {
    const next = stages.flatMap(({ after }, t) => (after.includes(k) ? [t] : []));
    outOf[k] = next.length === 0 ? 1 : next.reduce((sum, t) => sum + (outOf[t] ?? 0), 0);
  }
  const paths = stages.reduce((sum, { after }, k) => sum + (after.length === 0 ? (outOf[k] ?? 0) : 0), 0);
  return stages.map((_, k) => ((into[k] ?? 0) * (outOf[k] ?? 0)) / paths);
}
