import { mainPart, type Part } from "../domain/configuration.ts";
import { neededReplicas } from "./needed-replicas.ts";
import { reachableCount } from "./reachable-count.ts";
import { replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { plainLatencyMs } from "./served-latency.ts";

/** Parts of a stage that several variants serve together. */
export interface PartsChoice {
  readonly parts: readonly Part[];
  readonly price: number;
  readonly cores: number;
  readonly costPerHour: number;
  readonly workCores: number;
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
export function enough(
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

export function choiceOf(
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
