import { leastFrom } from "./least-totals.ts";
import type { Problem } from "./problem.ts";
import { countsBeyond, fewestReplicas, replicaCounts } from "./replica-counts.ts";
import { atRate, type Scope, type ScopeStage, scopeOf } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { type RowRange, rowsBefore } from "./shared-rows.ts";

/** A stage that several pipelines use: the same replicas serve the rows of all of them. */
export interface SharedStage {
  /** Indices of the problems, and the stage's name in each. The first one's shape, bounds and variants count. */
  readonly members: readonly { readonly problem: number; readonly stage: string }[];
}

/** What the shared stage may be like. */
export interface Setting {
  readonly variant: ScopeVariant;
  readonly batch: number;
  readonly replicas: number;
}

export interface Member {
  readonly problem: number;
  readonly stage: string;
  readonly scope: Scope;
  /** Of the stage in its scope. */
  readonly index: number;
  /** Of one of its requests at the stage. */
  readonly rows: RowRange;
  /** The least that its other stages take from the objective. */
  readonly othersPrice: number;
  /** No choice of its variants is more accurate. */
  readonly mostAccuracy: number;
}

/** Null: a stage is not there. */
export function membersOf(problems: readonly Problem[], { members }: SharedStage): readonly Member[] | null {
  const found = members.flatMap(({ problem, stage: name }) => {
    const given = problems[problem];
    const scope = given && scopeOf(given);
    const index = scope?.stages.findIndex(({ stage }) => stage.name === name) ?? -1;
    if (!scope || index < 0) return [];
    const rest = leastFrom(scope);
    const othersPrice = (rest[0]?.price ?? 0) - (rest[index]?.price ?? 0) + (rest[index + 1]?.price ?? 0);
    const most = scope.stages.map((stage, s) =>
      Math.max(...stage.variants.map(variant => scope.accuracy.mostWith(s, variant.name))),
    );
    const rows = rowsBefore(scope, index);
    return [{ problem, stage: name, scope, index, rows, othersPrice, mostAccuracy: Math.min(...most) }];
  });
  return found.length > 0 && found.length === members.length ? found : null;
}

/** Rows per second that these members bring at least, or at most, by the variants before the stage. */
function rpsOf(members: readonly Member[], what: keyof RowRange): number {
  return members.reduce((sum, { scope, rows }) => sum + scope.rateRps * rows[what], 0);
}

/** Settings that serve the most rows that all members can bring, `replicaCounts` of each variant and batch. */
export function settingsOf(members: readonly Member[]): Setting[] {
  return eachBatch(members, "most", (scope, stage, variant, rows, batch) =>
    replicaCounts(scope, stage, variant, rows, batch),
  );
}

/** Settings beyond those. */
export function moreSettings(members: readonly Member[]): Setting[] {
  return eachBatch(members, "most", (scope, stage, variant, rows, batch) =>
    countsBeyond(scope, stage, Math.max(0, ...replicaCounts(scope, stage, variant, rows, batch))),
  );
}

/**
 * Every setting that may serve what the members bring, whatever the variants before the stage: all counts from the fewest that serve the
 * fewest rows to the most that are in `tried`, or that the stage may have; of each variant and batch the first `length` of them.
 */
export function possibleSettings(members: readonly Member[], tried: readonly Setting[], length: number): Setting[] {
  return eachBatch(members, "fewest", (scope, stage, variant, rows, batch) => {
    const fewest = fewestReplicas(scope, stage, rows, batch / variant.service.meanMs(batch));
    if (fewest === null || stage.pinnedReplicas !== null) return fewest === null ? [] : [fewest];
    const own = tried.filter(other => other.variant.name === variant.name && other.batch === batch);
    const most = own.length === 0 ? stage.maxReplicas : Math.max(...own.map(({ replicas }) => replicas));
    const counts = Math.min(length, Math.max(0, most - fewest + 1));
    return Array.from({ length: counts }, (_, i) => fewest + i);
  });
}

type CountsOf = (scope: Scope, stage: ScopeStage, variant: ScopeVariant, rows: number, batch: number) => number[];

function eachBatch(members: readonly Member[], what: keyof RowRange, countsOf: CountsOf): Setting[] {
  const [first] = members;
  const stage = first?.scope.stages[first.index];
  if (!first || !stage) return [];
  // The first one may have no load at all.
  const scope = atRate(first.scope, Math.max(...members.map(member => member.scope.rateRps)));
  const rows = scope.rateRps > 0 ? rpsOf(members, what) / scope.rateRps : 0;
  // Its replicas serve one variant each, whoever they serve.
  const alone = stage.variants.filter(variant => variant.members.length === 0);
  return alone.flatMap(variant =>
    variant.batches.flatMap(batch =>
      countsOf(scope, stage, variant, rows, batch).map(replicas => ({ variant, batch, replicas })),
    ),
  );
}

/**
 * A member's problem with the setting given, and with the rows of the others at most, or at least; with the fewest it is worth no less
 * than for any rows. Where a batch waits to be filled, as with
 * the papers' latencies, more rows fill it sooner: what that is at most is taken off the SLO with the most, and added with the fewest.
 */
export function memberProblem(
  problem: Problem,
  member: Member,
  members: readonly Member[],
  { variant, batch, replicas }: Setting,
  what: keyof RowRange,
): Problem {
  const pins = [...problem.pins, { stage: member.stage, variant: variant.name, batch, replicas }];
  const of = (rows: keyof RowRange) => rpsOf(members, rows) - rpsOf([member], rows);
  const own = rpsOf([member], "fewest");
  const fillMs = (rps: number) => (batch > 1 ? Math.min(LONGEST_MS, (1000 * (batch - 1)) / rps) : 0);
  const isFilled = member.scope.policy.latency === "paper" && of("fewest") !== of("most");
  const spreadMs = isFilled ? fillMs(own + of("fewest")) - fillMs(own + of("most")) : 0;
  const othersRps = { [member.stage]: of(what) };
  if (what === "fewest" && member.scope.policy.latency === "queueing")
    return withoutLatency({ ...problem, pins, othersRps }, member.scope);
  if (spreadMs === 0) return { ...problem, pins, othersRps };
  const { slo } = problem.pipeline;
  const latencyMs = slo.latencyMs + (what === "most" ? -spreadMs : spreadMs);
  return { ...problem, pins, othersRps, pipeline: { ...problem.pipeline, slo: { ...slo, latencyMs } } };
}

/**
 * A problem that is worth no less at any load: no time counts, and replicas may work all the time. With more load the chance to be in time
 * falls, but not strictly so in the model of latency.ts (by some ten thousandths it can rise): no bound can be built on that.
 */
function withoutLatency(problem: Problem, { policy, problem: governed }: Scope): Problem {
  const { minAccuracy, ...objective } = problem.pipeline.objective;
  const least = policy.slo === "hard" && minAccuracy !== undefined ? { minAccuracy } : {};
  return {
    ...problem,
    weights: governed.pipeline.objective.weights,
    combine: governed.combine ?? {},
    pipeline: {
      ...problem.pipeline,
      slo: { ...problem.pipeline.slo, latencyMs: LONGEST_MS },
      objective: { ...objective, ...least, policy: "cocktail" },
    },
  };
}

/** What the sum of the plans' objectives pays for the shared stage more than once. */
export function costAgain({ variant, replicas }: Setting, members: readonly Member[]): number {
  const weights = members.slice(1).map(({ scope }) => scope.problem.pipeline.objective.weights.cost);
  return weights.reduce((sum, weight) => sum + weight, 0) * replicas * variant.cores;
}

/** No plans of the members with this setting have a sum of objectives above this, the stage counted once. */
export function mostWorth(setting: Setting, members: readonly Member[]): number {
  const { variant, batch, replicas } = setting;
  const worth = members.map(({ scope, index, othersPrice, mostAccuracy }) => {
    const { weights } = scope.problem.pipeline.objective;
    const own = weights.batch * batch + weights.cost * replicas * variant.cores;
    const accuracy = Math.min(mostAccuracy, scope.accuracy.mostWith(index, variant.name));
    return weights.accuracy * accuracy - othersPrice - own;
  });
  return worth.reduce((sum, one) => sum + one, 0) + costAgain(setting, members);
}

/** Beyond what any latency is taken to be. */
const LONGEST_MS = 1e13;
