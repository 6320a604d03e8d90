import { mainPart, type Part } from "../domain/configuration.ts";
import type { StageLatency } from "./latency.ts";
import { neededReplicas } from "./needed-replicas.ts";
import { reachableCount } from "./reachable-count.ts";
import { replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { latencyOf, plainLatencyMs } from "./served-latency.ts";
import { aloneOf, type Distribution, distributionOf, slowestOf } from "./stage-mixture.ts";
import type { Option } from "./stage-options.ts";
import { CELLS } from "./wait-distribution.ts";

/** Parts of a stage that several variants serve together. */
export interface PartsChoice {
  readonly parts: readonly Part[];
  readonly price: number;
  readonly cores: number;
  readonly costPerHour: number;
  readonly workCores: number;
}

/** Choices of one member that are looked at: the cheapest ones. */
const MOST_CHOICES = 6;

/** Replicas that each member may have beyond the fewest. */
const SPARE = 1;

/** Where latency is a distribution: what all members together make of it is only known of whole choices. */
function partsChoices(scope: Scope, stage: ScopeStage, variant: ScopeVariant, rows: number): PartsChoice[] {
  const lists = variant.members.map(({ variant: member, share }) =>
    member.batches
      .flatMap(batch => {
        const fewest = fewestOf(scope, stage, member, rows * share, batch);
        return Array.from({ length: SPARE + 1 }, (_, i) => ({
          variant: member.name,
          batch,
          replicas: fewest + i,
          share,
        }));
      })
      .sort(
        (a, b) =>
          replicasPrice(scope, stage, member, a.replicas) - replicasPrice(scope, stage, member, b.replicas) ||
          a.batch - b.batch,
      )
      .slice(0, MOST_CHOICES),
  );
  return productOf<Part>(lists).flatMap(parts => {
    const replicas = parts.reduce((sum, part) => sum + part.replicas, 0);
    const reached = reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas;
    return replicas < stage.minReplicas || replicas > stage.maxReplicas || reached !== replicas
      ? []
      : [choiceOf(scope, stage, variant, rows, parts)];
  });
}

function fewestOf(scope: Scope, stage: ScopeStage, member: ScopeVariant, rows: number, batch: number): number {
  return Math.max(1, neededReplicas(scope, stage, rows, batch / member.service.meanMs(batch)));
}

/** One of each list, in every way. */
function productOf<T>(lists: readonly (readonly T[])[]): (readonly T[])[] {
  let all: (readonly T[])[] = [[]];
  for (const list of lists) all = all.flatMap(some => list.map(one => [...some, one]));
  return all;
}

interface PlainPart {
  readonly part: Part;
  readonly latencyMs: number;
  /** Of the batch that the objective counts. */
  readonly batchPrice: number;
  readonly workCores: number;
}

/** A choice whose latency, that of its slowest part, is a plain number. */
export interface PlainChoice extends PartsChoice {
  readonly latencyMs: number;
}

/**
 * Where latencies are plain numbers: for every time that the slowest part may take, the parts of every member that no other of its
 * parts within that time beats. Nothing that is left out is better in anything.
 */
export function plainChoices(scope: Scope, stage: ScopeStage, variant: ScopeVariant, rows: number): PlainChoice[] {
  const { limits, pipeline } = scope.problem;
  const { batch: perBatch } = pipeline.objective.weights;
  const isShared = limits.machineCores !== null;
  const lists = variant.members.map(({ variant: member, share }) => {
    const parts = member.batches.map((batch): PlainPart => {
      const replicas = fewestOf(scope, stage, member, rows * share, batch);
      return {
        part: { variant: member.name, batch, replicas, share },
        latencyMs: plainLatencyMs(scope, stage.othersRps, member, rows * share, batch),
        batchPrice: member.name === variant.main ? perBatch * batch : 0,
        workCores: isShared ? member.service.meanMs(batch) / batch : 0,
      };
    });
    return unbeaten(parts, isNoSlower);
  });
  const times = [...new Set(lists.flat().map(({ latencyMs }) => latencyMs))].sort((a, b) => a - b);
  return times.flatMap(ms => {
    const within = lists.map(list => unbeaten(list.filter(part => part.latencyMs <= ms)));
    if (within.every(list => list.every(part => part.latencyMs < ms))) return [];
    return productOf(within).flatMap(parts => {
      const latencyMs = Math.max(...parts.map(part => part.latencyMs));
      if (latencyMs < ms) return [];
      const all = enough(
        stage,
        variant,
        parts.map(({ part }) => part),
      );
      return all ? [{ ...choiceOf(scope, stage, variant, rows, all), latencyMs }] : [];
    });
  });
}

function unbeaten(list: readonly PlainPart[], isFirst: typeof isNoDearer = isNoDearer): readonly PlainPart[] {
  if (list.length < 2) return list;
  return list.filter((part, i) => !list.some((other, k) => isFirst(other, part) && (k < i || !isFirst(part, other))));
}

function isNoDearer(a: PlainPart, b: PlainPart): boolean {
  return a.part.replicas <= b.part.replicas && a.batchPrice <= b.batchPrice && a.workCores <= b.workCores;
}

function isNoSlower(a: PlainPart, b: PlainPart): boolean {
  return a.latencyMs <= b.latencyMs && isNoDearer(a, b);
}

/** With more replicas of the cheapest member, where a stage must have more, or its HPA goes to more; null: it may not have so many. */
function enough(
  { minReplicas, maxReplicas, scaling }: ScopeStage,
  variant: ScopeVariant,
  parts: Part[],
): Part[] | null {
  const replicas = parts.reduce((sum, part) => sum + part.replicas, 0);
  const fewest = Math.max(replicas, minReplicas);
  const reached = reachableCount(fewest, maxReplicas, scaling).replicas;
  if (reached < fewest || reached > maxReplicas) return null;
  if (reached === replicas) return parts;
  const cores = variant.members.map(({ variant: member }) => member.cores);
  const cheapest = cores.indexOf(Math.min(...cores));
  return parts.map((part, i) => (i === cheapest ? { ...part, replicas: part.replicas + reached - replicas } : part));
}

function choiceOf(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  parts: readonly Part[],
): PartsChoice {
  let price = scope.problem.pipeline.objective.weights.batch * (mainPart({ parts })?.batch ?? 1);
  let cores = 0;
  let costPerHour = 0;
  let workCores = 0;
  for (const [i, { batch, replicas, share }] of parts.entries()) {
    const member = variant.members[i]?.variant;
    if (!member) continue;
    price += replicasPrice(scope, stage, member, replicas);
    cores += replicas * member.cores;
    costPerHour += replicas * (stage.stage.costPerHour ?? 0);
    workCores += ((scope.rateRps / 1000) * rows * share * member.service.meanMs(batch) * member.cores) / batch;
  }
  return { parts, price, cores, costPerHour, workCores };
}

/** As `allOptions`, for variants that serve together. */
export function compositeOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  mostPrice: number,
): Option[] {
  const isVote = variant.members.every(({ share }) => share === 1);
  const known = new Map<string, PartLatency>();
  const latencyAt = (i: number, { batch, replicas, share }: Part): PartLatency => {
    const key = `${i}/${batch}/${replicas}`;
    let part = known.get(key);
    if (!part) {
      const latency = latencyOf(scope, stage, variant.members[i]?.variant ?? variant, { rows, batch, replicas }, share);
      part = { share, latency, alone: isVote ? aloneOf(latency, scope.stepMs, CELLS) : null };
      known.set(key, part);
    }
    return part;
  };
  return partsChoices(scope, stage, variant, rows)
    .filter(({ price }) => price <= mostPrice)
    .map(choice => {
      const parts = choice.parts.map((part, i) => latencyAt(i, part));
      const alone = parts.flatMap(part => part.alone ?? []);
      const distribution =
        (isVote && slowestOf(alone, scope.stepMs, CELLS)) || distributionOf({ rows, parts }, scope.stepMs, CELLS);
      const main = mainPart(choice);
      const replicas = choice.parts.reduce((sum, part) => sum + part.replicas, 0);
      return { ...choice, ...distribution, batch: main?.batch ?? 1, replicas };
    });
}

interface PartLatency {
  readonly share: number;
  readonly latency: StageLatency;
  /** Of a part that waits for no other before the vote; null: rows are split. */
  readonly alone: Distribution | null;
}
