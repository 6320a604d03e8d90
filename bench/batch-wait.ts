import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type ServiceTimes, serviceMs } from "../domain/profile.ts";
import { exponential, seededRandom } from "../load/seeded-random.ts";
import { readPipeline } from "../runtime/read-pipeline.ts";
import { packageFolder } from "../runtime/version.ts";
import { type Figure, figure } from "./figure.ts";
import { quantile, rounded, sorted } from "./samples.ts";

const BATCH = 8;
/** Of the rate at which all batches are full. */
const LOADS = [0.2, 0.4, 0.6, 0.8, 0.9];
const OVERLOAD = 1.5;
/** Of the time of a full batch. */
const WAITS = [0.05, 0.1, 0.2, 0.4, 0.8];
const ROWS = 30_000;
const QUANTILE = 0.95;
/** A full batch costs what one row does: none can be cheaper. */
const FLAT: ServiceTimes = { points: [1, BATCH].map(batch => ({ batch, latencyMs: 10 })) };

/** Times of rows that were served in batches, in the order in which they came. */
export interface BatchedRows {
  readonly latenciesMs: readonly number[];
  /** When the last one was served. */
  readonly endMs: number;
}

/**
 * A session that takes what waits, at most `batch` rows, as the switcher's queue does: an incomplete batch waits until it is full or its
 * oldest row is `maxWaitMs` old. `arrivalsMs` ascend.
 */
export function serveBatched(
  arrivalsMs: readonly number[],
  profile: ServiceTimes,
  batch: number,
  maxWaitMs: number,
): BatchedRows {
  const latenciesMs: number[] = [];
  let freeMs = 0;
  while (latenciesMs.length < arrivalsMs.length) {
    const head = latenciesMs.length;
    const oldestMs = arrivalsMs[head] ?? 0;
    const fullMs = arrivalsMs[head + batch - 1] ?? Number.POSITIVE_INFINITY;
    const startMs = Math.max(freeMs, oldestMs, Math.min(fullMs, oldestMs + maxWaitMs));
    const due = arrivalsMs.slice(head, head + batch).filter(arrivalMs => arrivalMs <= startMs);
    freeMs = startMs + serviceMs(profile, due.length);
    for (const arrivalMs of due) latenciesMs.push(freeMs - arrivalMs);
  }
  return { latenciesMs, endMs: freeMs };
}

/** What the best of several waits gains over none, in percent: at the quantile of latency, the most over all loads, and in throughput at overload. */
export function gainOfWaiting(profile: ServiceTimes): { readonly latency: number; readonly throughput: number } {
  const fullMs = serviceMs(profile, BATCH);
  const served = (load: number, wait: number): BatchedRows =>
    serveBatched(poisson((load * BATCH) / fullMs), profile, BATCH, wait * fullMs);
  const latencyMs = (load: number, wait: number): number => quantile(sorted(served(load, wait).latenciesMs), QUANTILE);
  const best = (load: number): number => Math.min(...WAITS.map(wait => latencyMs(load, wait))) / latencyMs(load, 0);
  const soonestMs = Math.min(...WAITS.map(wait => served(OVERLOAD, wait).endMs));
  return {
    latency: Math.max(0, 100 * (1 - Math.min(...LOADS.map(best)))),
    throughput: Math.max(0, 100 * (served(OVERLOAD, 0).endMs / soonestMs - 1)),
  };
}

/** Every measured profile of the pipelines in this package, and one that none can be better for. */
export function profilesToWaitFor(): ReadonlyMap<string, ServiceTimes> {
  const folder = join(packageFolder, "pipelines");
  const names = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory());
  const measured = names.flatMap(({ name }) =>
    readPipeline(join(folder, name)).stages.flatMap(stage =>
      stage.variants.flatMap(variant =>
        variant.profile === null ? [] : [[`${name}/${stage.name}/${variant.name}`, variant.profile] as const],
      ),
    ),
  );
  return new Map<string, ServiceTimes>([["flat", FLAT], ...measured]);
}

/** Whether an incomplete batch should ever wait for more rows. Computed, so that it is the same everywhere. */
export function waitFigures(): Promise<Figure[]> {
  const gains = Array.from(profilesToWaitFor(), ([name, profile]) => ({ name, ...gainOfWaiting(profile) }));
  const most = (kind: "latency" | "throughput") => gains.reduce((a, b) => (b[kind] > a[kind] ? b : a));
  const note = `of ${gains.length} profiles, batch ${BATCH}, waits of ${WAITS.join(", ")} times a full batch`;
  return Promise.resolve([
    figure("switcher.wait.latencyGain", rounded(most("latency").latency), {
      note: `at the quantile ${QUANTILE} with ${most("latency").name}, the most of loads from ${LOADS[0]} to ${LOADS.at(-1)}; ${note}`,
    }),
    figure("switcher.wait.throughputGain", rounded(most("throughput").throughput), {
      note: `at ${OVERLOAD} times what can be served; ${note}`,
    }),
  ]);
}

/** Of rows at so many a millisecond. */
function poisson(rate: number): readonly number[] {
  const random = seededRandom(1);
  let atMs = 0;
  return Array.from({ length: ROWS }, () => {
    atMs += exponential(random, 1 / rate);
    return atMs;
  });
}
