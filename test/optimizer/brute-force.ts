import { mainPart, type Part } from "../../domain/configuration.ts";
import { fanOutOf } from "../../domain/pipeline.ts";
import { neededReplicas } from "../../optimizer/needed-replicas.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { reachableCount } from "../../optimizer/reachable-count.ts";
import { countedLatencies } from "../../optimizer/replica-counts.ts";
import { type Scope, type ScopeStage, scopeOf } from "../../optimizer/scope.ts";
import type { ScopeVariant } from "../../optimizer/scope-variant.ts";
import { plainLatencyMs } from "../../optimizer/served-latency.ts";
import { aloneOf, distributionOf, slowestOf } from "../../optimizer/stage-mixture.ts";
import { allOptions, type Option } from "../../optimizer/stage-options.ts";
import { CELLS, chanceWithin, convolve } from "../../optimizer/wait-distribution.ts";

export interface BruteForce {
  readonly objective: number;
  readonly variants: readonly string[];
}

/** Looks at every combination of variants and options, with nothing of the search: the best feasible one by variants. */
export function bruteForce(problem: Problem): BruteForce[] {
  const scope = scopeOf(problem);
  const best = new Map<string, BruteForce>();
  if (scope.stages.some(stage => !stage.plannable)) return [];
  visit(scope, [], [], [], (variants, options) => {
    const objective = objectiveOf(scope, variants, options);
    const key = variants.join("/");
    if (objective !== null && objective > (best.get(key)?.objective ?? Number.NEGATIVE_INFINITY)) {
      best.set(key, { objective, variants });
    }
  });
  return [...best.values()].sort((a, b) => b.objective - a.objective);
}

export interface FeasibleChoice {
  readonly objective: number;
  readonly cores: number;
  readonly accuracy: number;
}

export function feasibleChoices(problem: Problem): FeasibleChoice[] {
  const scope = scopeOf(problem);
  const all: FeasibleChoice[] = [];
  if (scope.stages.some(stage => !stage.plannable)) return [];
  visit(scope, [], [], [], (variants, options) => {
    const objective = objectiveOf(scope, variants, options);
    if (objective === null) return;
    const cores = options.reduce((sum, option) => sum + option.cores, 0);
    all.push({ objective, cores, accuracy: scope.accuracy.of(variants) });
  });
  return all;
}

/** Cores and accuracy of the feasible choices that no other one beats in both, cheapest first. */
export function bruteForceFront(problem: Problem): FeasibleChoice[] {
  const all = feasibleChoices(problem).sort((a, b) => a.cores - b.cores || b.accuracy - a.accuracy);
  const front: FeasibleChoice[] = [];
  for (const choice of all) if (choice.accuracy > (front.at(-1)?.accuracy ?? -1) + 1e-7) front.push(choice);
  return front;
}

type Leaf = (variants: readonly string[], options: readonly Option[]) => void;

function visit(
  scope: Scope,
  variants: readonly string[],
  options: readonly Option[],
  rows: readonly number[],
  leaf: Leaf,
): void {
  const stage = scope.stages[variants.length];
  if (!stage) {
    leaf(variants, options);
    return;
  }
  const upstream = scope.stages.findIndex(other => other.stage.name === stage.stage.upstream);
  const here = (rows[upstream] ?? 1) * fanOutOf(stage.stage, variants[upstream] ?? null);
  for (const variant of stage.variants) {
    const isPlain = scope.policy.latency !== "queueing";
    const optionsOf = variant.members.length === 0 ? allOptions : isPlain ? allParts : allDistributions;
    for (const option of optionsOf(scope, stage, variant, here)) {
      visit(scope, [...variants, variant.name], [...options, option], [...rows, here], leaf);
    }
  }
}

/** Of variants that serve together: every batch and count of each with every one of the others. */
function allDistributions(scope: Scope, stage: ScopeStage, variant: ScopeVariant, rows: number): Option[] {
  const { weights } = scope.problem.pipeline.objective;
  const own = { ...stage, minReplicas: 1, scaling: undefined };
  const isVote = variant.members.every(({ share }) => share === 1);
  const lists = variant.members.map(({ variant: member, share }) =>
    member.batches.flatMap(batch =>
      [...countedLatencies(scope, own, member, { rows, batch }, share)].map(({ replicas, latency }) => ({
        part: { variant: member.name, batch, replicas, share },
        cores: replicas * member.cores,
        workCores: (scope.rateRps * rows * share * member.cores * member.service.meanMs(batch)) / batch / 1000,
        latency,
        alone: aloneOf(latency, scope.stepMs, CELLS),
      })),
    ),
  );
  let all: (typeof lists)[number][] = [[]];
  for (const list of lists) all = all.flatMap(some => list.map(one => [...some, one]));
  return all.flatMap(choice => {
    const sum = (of: (one: (typeof choice)[number]) => number) => choice.reduce((total, one) => total + of(one), 0);
    const replicas = sum(({ part }) => part.replicas);
    if (replicas < stage.minReplicas || replicas > stage.maxReplicas) return [];
    if (reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas !== replicas) return [];
    const { batch } = choice.reduce((most, one) => (one.part.share > most.part.share ? one : most)).part;
    const mixture = { rows, parts: choice.map(({ part, latency }) => ({ share: part.share, latency })) };
    const alone = choice.map(one => one.alone);
    const distribution =
      (isVote && slowestOf(alone, scope.stepMs, CELLS)) || distributionOf(mixture, scope.stepMs, CELLS);
    const cores = sum(one => one.cores);
    const price = weights.cost * cores + weights.batch * batch;
    const costPerHour = replicas * (stage.stage.costPerHour ?? 0);
    return { ...distribution, batch, replicas, cores, price, costPerHour, workCores: sum(one => one.workCores) };
  });
}

/** Of variants that serve together with plain latencies: every batch of each, and one replica more or less spread over them. */
function allParts(scope: Scope, stage: ScopeStage, variant: ScopeVariant, rows: number): Option[] {
  let all: readonly (readonly Part[])[] = [[]];
  const { weights } = scope.problem.pipeline.objective;
  const fewest = (member: ScopeVariant, batch: number, load: number) =>
    Math.max(1, neededReplicas(scope, stage, load, batch / member.service.meanMs(batch)));
  for (const { variant: member, share } of variant.members)
    all = all.flatMap(parts =>
      member.batches.flatMap(batch =>
        [0, 1].map(more => {
          const replicas = fewest(member, batch, rows * share) + more;
          return [...parts, { variant: member.name, batch, replicas, share }];
        }),
      ),
    );
  return all.flatMap(parts => {
    const sum = (of: (part: Part, member: ScopeVariant) => number) =>
      parts.reduce((total, part, i) => total + of(part, variant.members[i]!.variant), 0);
    const replicas = sum(part => part.replicas);
    if (replicas < stage.minReplicas || replicas > stage.maxReplicas) return [];
    if (reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas !== replicas) return [];
    const { batch } = parts.reduce((most, part) => (part.share > most.share ? part : most));
    const latencies = parts.map((part, i) =>
      plainLatencyMs(scope, stage.othersRps, variant.members[i]!.variant, rows * part.share, part.batch),
    );
    const cores = sum((part, member) => part.replicas * member.cores);
    return {
      parts,
      batch,
      replicas,
      cores,
      price: weights.cost * cores + weights.batch * batch,
      costPerHour: replicas * (stage.stage.costPerHour ?? 0),
      workCores: sum(
        (part, member) =>
          (scope.rateRps * rows * part.share * member.cores * member.service.meanMs(part.batch)) / part.batch / 1000,
      ),
      constantMs: Math.max(...latencies),
      cumulative: new Float64Array(100).fill(1),
    };
  });
}

/** Chance that every path through the stages is within the SLO. */
function withinSlo(scope: Scope, options: readonly Option[]): number {
  const { stages } = scope.problem.pipeline;
  const isChain = stages.every(({ dependsOn }, s) => dependsOn.join() === (stages[s - 1]?.name ?? ""));
  if (scope.policy.latency !== "queueing") {
    const doneMs: Record<string, number> = {};
    for (const [s, { name, dependsOn }] of stages.entries())
      doneMs[name] = Math.max(0, ...dependsOn.map(other => doneMs[other] ?? 0)) + (options[s]?.constantMs ?? 0);
    return Math.max(...Object.values(doneMs)) <= scope.sloMs * (1 + 1e-9) ? 1 : 0;
  }
  if (isChain) {
    const cumulative = options.map(option => padded(option.cumulative)).reduce((a, b) => convolve(a, b));
    const constantMs = options.reduce((sum, option) => sum + option.constantMs, 0);
    return chanceWithin(cumulative, scope.stepMs, scope.sloMs - constantMs);
  }
  const times = stages.map((_, s) => delayed(options[s]!, scope.stepMs));
  const product = (all: readonly Float64Array[]) => all.reduce((a, b) => a.map((chance, i) => chance * b[i]!));
  const done: Record<string, Float64Array> = {};
  for (const [s, { name, dependsOn }] of stages.entries()) {
    const starts = dependsOn.map(other => done[other]!);
    done[name] = starts.length === 0 ? times[s]! : convolve(product(starts), times[s]!);
  }
  const last = stages.filter(({ name }) => !stages.some(({ dependsOn }) => dependsOn.includes(name)));
  return chanceWithin(product(last.map(({ name }) => done[name]!)), scope.stepMs, scope.sloMs);
}

/** The distribution with its constant part, linear between entries. */
function delayed({ constantMs, cumulative }: Option, stepMs: number): Float64Array {
  const known = padded(cumulative);
  return new Float64Array(49).map((_, i) => {
    const position = i - constantMs / stepMs;
    const below = Math.floor(position);
    if (position <= -1) return 0;
    const [low, high] = [below < 0 ? 0 : known[below]!, known[below + 1]!];
    return low + (position - below) * (high - low);
  });
}

function objectiveOf(scope: Scope, variants: readonly string[], options: readonly Option[]): number | null {
  const { pipeline, limits, current } = scope.problem;
  const { objective, slo, overhead } = pipeline;
  const sum = (of: (option: Option) => number) => options.reduce((total, option) => total + of(option), 0);
  const within = withinSlo(scope, options);
  const accuracy = scope.accuracy.of(variants);
  const work = sum(option => option.workCores) + (scope.rateRps * overhead.cpuMs) / 1000;
  if (within < slo.quantile || accuracy < (objective.minAccuracy ?? 0) - 1e-9) return null;
  if (sum(option => option.cores) > Math.min(limits.cores ?? 1e99, objective.maxCores ?? 1e99) + 1e-9) return null;
  if (sum(option => option.costPerHour) > (objective.maxCostPerHour ?? 1e99) + 1e-9) return null;
  if (limits.machineCores !== null && work > objective.utilisation * limits.machineCores + 1e-9) return null;
  const switches = pipeline.stages.filter((stage, s) => {
    const now = current?.[stage.name];
    return now !== undefined && mainPart(now)?.variant !== variants[s];
  }).length;
  const { weights } = objective;
  return (
    weights.accuracy * accuracy * within -
    weights.cost * sum(option => option.cores) -
    weights.batch * sum(option => option.batch) -
    weights.switch * switches
  );
}

/** The search computes no more entries of a distribution than it needs; a convolution needs the same number of both. */
function padded(cumulative: Float64Array): Float64Array {
  const full = new Float64Array(100).fill(cumulative.at(-1) ?? 0);
  full.set(cumulative);
  return full;
}
