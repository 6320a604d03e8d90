/**
 * The clairvoyant: an upper bound of what anyone could have made of the same arrivals on the same cores who knows them all beforehand, mixes variants as
 * finely as they like and starts replicas at once. What is between the best fixed variants and it is what there is to win.
 */
import type { Combination } from "../../cli/demo/demo-rates.ts";
import { fanOutOf, findVariant, type Pipeline } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import { accuracyOf } from "../../optimizer/accuracy.ts";
import { listCombinations } from "./contenders.ts";
import type { ReplicaTimes } from "./replica-times.ts";

/** One combination of variants: what a request takes of the cores in all stages, and how often it is right, from 0 to 1. */
export interface Way {
  readonly workMs: number;
  readonly accuracy: number;
}

export interface Demand {
  /** Requests that come in each window, one after the other. */
  readonly counts: readonly number[];
  readonly windowMs: number;
  readonly sloMs: number;
  /** Cores that may work at a time. */
  readonly cores: number;
  /** Milliseconds of a core that may be used in all. */
  readonly budgetMs: number;
}

/**
 * The largest share of the requests that is right and within the SLO. Whatever comes from the beginning of one window to the end of another has
 * to be done within that time and one SLO, for every pair of windows, and all of it within the budget. Work may be given to a window
 * as long as none of these limits is reached, in any order: the limits are those of a polymatroid (jobs with release times and deadlines), so taking the
 * steepest parts of the hull of time and accuracy first is optimal (Federgruen and Groenevelt, Operations Research 34, 1986).
 */
export function boundEffective(ways: readonly Way[], { counts, windowMs, sloMs, cores, budgetMs }: Demand): number {
  const work = counts.map(() => 0);
  let leftMs = budgetMs;
  let right = 0;
  for (const { workMs, accuracy } of listSegments(ways)) {
    for (const [at, count] of counts.entries()) {
      const givenMs = Math.min(count * workMs, leftMs, findRoom(work, at, { windowMs, sloMs, cores }));
      if (!(givenMs > 0)) continue;
      work[at] = (work[at] ?? 0) + givenMs;
      leftMs -= givenMs;
      right += (accuracy * givenMs) / workMs;
    }
  }
  return right / counts.reduce((sum, count) => sum + count, 0);
}

/** The largest share of the requests that can be answered within the SLO at all. */
export function boundInTime(ways: readonly Way[], demand: Demand): number {
  return boundEffective(
    ways.map(({ workMs }) => ({ workMs, accuracy: 1 })),
    demand,
  );
}

/** The parts of the upper concave hull of time and accuracy, from refusing a request on: what more each takes and brings. The steepest is first. */
function listSegments(ways: readonly Way[]): readonly Way[] {
  const hull: Way[] = [{ workMs: 0, accuracy: 0 }];
  for (const way of ways.toSorted((a, b) => a.workMs - b.workMs || b.accuracy - a.accuracy)) {
    if (way.accuracy <= (hull.at(-1)?.accuracy ?? 0)) continue;
    while (isUnder(hull.at(-2), hull.at(-1), way)) hull.pop();
    hull.push(way);
  }
  return hull.slice(1).map(({ workMs, accuracy }, at) => ({
    workMs: workMs - (hull[at]?.workMs ?? 0),
    accuracy: accuracy - (hull[at]?.accuracy ?? 0),
  }));
}

function isUnder(before: Way | undefined, way: Way | undefined, after: Way): boolean {
  if (!before || !way) return false;
  const slope = (after.accuracy - before.accuracy) * (way.workMs - before.workMs);
  return (way.accuracy - before.accuracy) * (after.workMs - before.workMs) <= slope;
}

/** Milliseconds that may be added to a window until what comes in some row of windows around it can't be done in time. */
function findRoom(
  work: readonly number[],
  place: number,
  { windowMs, sloMs, cores }: Pick<Demand, "windowMs" | "sloMs" | "cores">,
): number {
  // The time of the cores within the windows before each place, less what is to be done in them.
  let spareMs = 0;
  let mostBefore = Number.NEGATIVE_INFINITY;
  let leastAfter = Number.POSITIVE_INFINITY;
  for (const [at, workMs] of work.entries()) {
    if (at <= place) mostBefore = Math.max(mostBefore, spareMs);
    spareMs += cores * windowMs - workMs;
    if (at >= place) leastAfter = Math.min(leastAfter, spareMs);
  }
  return leastAfter - mostBefore + cores * sloMs;
}

export function countWindows(arrivalsMs: readonly number[], durationMs: number, windowMs: number): readonly number[] {
  const counts = new Array<number>(Math.ceil(durationMs / windowMs)).fill(0);
  for (const atMs of arrivalsMs) {
    const at = Math.min(counts.length - 1, Math.floor(atMs / windowMs));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** Measured over profiled service time, by stage; a stage that is missing is as profiled. */
export type ServiceFactors = Readonly<Record<string, number>>;

/** How much longer batches took in a run than the pipeline's profiles say. */
export function measureFactors(
  { stages }: Pick<Pipeline, "stages">,
  replicas: readonly Pick<ReplicaTimes, "stage" | "serviceTimes">[],
): ServiceFactors {
  const factors: Record<string, number> = {};
  for (const stage of stages) {
    let measuredMs = 0;
    let profiledMs = 0;
    for (const { variant, rows, batches, totalMs } of replicas
      .filter(replica => replica.stage === stage.name)
      .flatMap(({ serviceTimes }) => serviceTimes)) {
      const profile = findVariant(stage, variant)?.profile;
      if (!profile || batches === 0) continue;
      measuredMs += totalMs;
      profiledMs += batches * serviceMs(profile, rows);
    }
    if (profiledMs > 0) factors[stage.name] = measuredMs / profiledMs;
  }
  return factors;
}

/** Rows of one request in each stage, where these variants serve. */
export function countRows({ stages }: Pipeline, variants: Combination): Readonly<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (const stage of stages) {
    const { name, upstream } = stage;
    const before = upstream === null ? 1 : (rows[upstream] ?? 1);
    rows[name] = before * fanOutOf(stage, upstream === null ? null : (variants[upstream] ?? null));
  }
  return rows;
}

/**
 * All combinations of variants that can be within the SLO by themselves. Rows count as in the batch size that is the best for them.
 *
 * @param overheadMs of a core for a request beside the models.
 */
export function listWays(pipeline: Pipeline, factors: ServiceFactors, overheadMs: number): readonly Way[] {
  const model = accuracyOf(pipeline);
  return listCombinations(pipeline).flatMap(variants => {
    let workMs = overheadMs;
    let latencyMs = pipeline.overhead.latencyMs;
    const rowsByStage = countRows(pipeline, variants);
    for (const stage of pipeline.stages) {
      const rows = rowsByStage[stage.name] ?? 0;
      const points = findVariant(stage, variants[stage.name] ?? "")?.profile?.points ?? [];
      const factor = factors[stage.name] ?? 1;
      workMs += stage.cores * rows * factor * Math.min(...points.map(point => point.latencyMs / point.batch));
      latencyMs += factor * serviceMs({ points }, 1);
    }
    const accuracy = model.of(pipeline.stages.map(({ name }) => variants[name] ?? ""));
    return latencyMs <= pipeline.slo.latencyMs ? [{ workMs, accuracy }] : [];
  });
}
