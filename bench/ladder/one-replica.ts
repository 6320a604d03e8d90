/** One replica of one stage under recorded arrivals, on a virtual clock: what a rule is worth by itself. */

import type { Variant } from "../../domain/pipeline.ts";
import type { ServiceTimes } from "../../domain/profile.ts";
import { BatchTimes } from "../../domain/serving/batch-times.ts";
import { takeBatch } from "../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Ladder, type Rung } from "../../domain/serving/ladder.ts";
import { findRefused } from "../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../domain/serving/waiting-calls.ts";
import { exponential, partSeed, seededRandom } from "../../load/seeded-random.ts";
import { sharePlannedRows } from "./planned-shares.ts";
import type { Rule } from "./rules.ts";

export const SLOT_MS = 100;

export interface RungModel {
  readonly variant: Pick<Variant, "name"> & { readonly accuracy: number };
  readonly profile: ServiceTimes;
  readonly maxBatch: number;
}

export interface Circumstances {
  /** Most accurate first. */
  readonly rungs: readonly RungModel[];
  readonly sloMs: number;
  readonly headroom: number;
  /** Requests of one row a second, for each slot of 100 ms. */
  readonly ratesRps: readonly number[];
  /** A batch takes so many times what was measured. */
  readonly slower: number;
  /**
   * The machine stands still for so long, so often on average; null: never. When it does depends on no rule, so that all rules meet the same.
   */
  readonly stalls: { readonly everyMs: number; readonly ms: number } | null;
}

export interface Outcome {
  readonly requests: number;
  /** Accuracy over all requests, in percent; one that is not answered in time counts as wrong. */
  readonly effectivePercent: number;
  readonly missedPercent: number;
  readonly p50Ms: number;
  /** By request, when it came and whether it was answered in time. */
  readonly arrivals: readonly number[];
  readonly inTime: readonly boolean[];
}

type Waiting = Call & { readonly at: number; readonly arrivedMs: number };

/** Serves the arrivals by `rule`, with the rungs named in `only` where it is given. */
export function serveAlone(circumstances: Circumstances, rule: Rule, seed: number, only?: readonly string[]): Outcome {
  const { sloMs, headroom, slower, stalls } = circumstances;
  const models = circumstances.rungs.filter(({ variant }) => only === undefined || only.includes(variant.name));
  const arrivals = drawArrivals(circumstances.ratesRps, seededRandom(partSeed(seed, 1)));
  const noise = seededRandom(partSeed(seed, 2));
  const random = seededRandom(partSeed(seed, 3));
  const findEnd = createClock(stalls, seededRandom(partSeed(seed, 4)));
  const measured = models.map(({ variant, profile, maxBatch }) => createRung(variant.name, profile, maxBatch));
  const accuracies = models.map(({ variant }) => variant.accuracy);
  const meanRps = circumstances.ratesRps.reduce((sum, rate) => sum + rate, 0) / circumstances.ratesRps.length;
  const plannedShares = sharePlannedRows(models, meanRps, slower);
  const times = new BatchTimes();
  const queue = new WaitingCalls<Waiting>();
  const inTime = new Array<boolean>(arrivals.length).fill(false);
  const latencies: number[] = [];
  let right = 0;
  let nowMs = 0;
  let next = 0;
  const admit = (untilMs: number): void => {
    for (; next < arrivals.length && (arrivals[next] as number) <= untilMs; next += 1) {
      const arrivedMs = arrivals[next] as number;
      const softMs = arrivedMs + headroom * sloMs;
      queue.add(
        { at: next, arrivedMs, rows: 1, shape: "", softMs, hardMs: arrivedMs + sloMs, variant: null },
        arrivedMs,
      );
    }
  };
  for (;;) {
    admit(nowMs);
    if (queue.calls.length === 0) {
      if (next === arrivals.length) break;
      nowMs = arrivals[next] as number;
      continue;
    }
    const ladder: Ladder = { rungs: measured.map(rung => scaleRung(rung, times.factor)), others: [] };
    for (const call of findRefused(ladder, queue.calls, nowMs + times.usualDelayMs, true)) queue.remove(call);
    const expected = queue.expectCall(nowMs);
    const startMs = nowMs + times.findLongestDelayMs(expected?.softAfterMs ?? 0);
    const choosing = {
      ladder,
      calls: queue.calls,
      startMs,
      expected,
      accuracies,
      plannedShares,
      random,
    };
    const batch = takeBatch(ladder, queue.calls, startMs, rule(choosing));
    const at = ladder.rungs.indexOf(batch.rung);
    const measuredMs = measured[at]?.batchMs[batch.rows] as number;
    const endedMs = findEnd(nowMs, measuredMs * slower * (0.9 + 0.2 * noise()));
    const tookMs = endedMs - nowMs;
    nowMs = endedMs;
    times.ran({ measuredMs, serviceMs: tookMs, tookMs, endedMs, wasLoading: false });
    for (const { call, rows } of batch.parts) {
      queue.take(call as Waiting, rows, batch.rung.variant);
      const { at: request, arrivedMs, hardMs } = call as Waiting;
      if (nowMs > hardMs) continue;
      inTime[request] = true;
      right += accuracies[at] ?? 0;
      latencies.push(nowMs - arrivedMs);
    }
  }
  latencies.sort((a, b) => a - b);
  const requests = arrivals.length;
  return {
    requests,
    effectivePercent: (100 * right) / requests,
    missedPercent: (100 * inTime.filter(was => !was).length) / requests,
    p50Ms: latencies[latencies.length >>> 1] ?? Number.NaN,
    arrivals,
    inTime,
  };
}

function scaleRung(rung: Rung, factor: number): Rung {
  return { ...rung, batchMs: rung.batchMs.map(ms => factor * ms) };
}

/** Says when work that starts at a time ends, on a machine that stands still now and then. Starts never go back. */
function createClock(
  stalls: Circumstances["stalls"],
  random: () => number,
): (startMs: number, workMs: number) => number {
  if (stalls === null) return (startMs, workMs) => startMs + workMs;
  const { everyMs, ms } = stalls;
  let fromMs = exponential(random, everyMs);
  return (startMs, workMs) => {
    while (fromMs + ms <= startMs) fromMs += ms + exponential(random, everyMs);
    let endMs = startMs + workMs;
    while (fromMs < endMs) {
      endMs += fromMs + ms - Math.max(startMs, fromMs);
      fromMs += ms + exponential(random, everyMs);
    }
    return endMs;
  };
}

function drawArrivals(ratesRps: readonly number[], random: () => number): readonly number[] {
  const arrivals: number[] = [];
  for (const [slot, rate] of ratesRps.entries()) {
    if (rate <= 0) continue;
    for (let ms = exponential(random, 1000 / rate); ms < SLOT_MS; ms += exponential(random, 1000 / rate))
      arrivals.push(slot * SLOT_MS + ms);
  }
  return arrivals;
}
