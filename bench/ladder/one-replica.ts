/** One replica of one stage under recorded arrivals, on a virtual clock: what a rule is worth by itself. */

import type { Variant } from "../../domain/pipeline.ts";
import type { Profile } from "../../domain/profile-schema.ts";
import { BatchTimes } from "../../domain/serving/batch-times.ts";
import { findHopeless, takeBatch } from "../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Rung } from "../../domain/serving/ladder.ts";
import { WaitingCalls } from "../../domain/serving/waiting-calls.ts";
import { exponential, partSeed, seededRandom } from "../../load/seeded-random.ts";
import type { Rule } from "./rules.ts";

export const SLOT_MS = 100;

export interface RungModel {
  readonly variant: Pick<Variant, "name"> & { readonly accuracy: number };
  readonly profile: Profile;
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
  /** Share of batches that stall, and for how long. */
  readonly stalls: { readonly share: number; readonly ms: number };
}

export interface Outcome {
  readonly requests: number;
  /** Accuracy over all requests, in percent; one that is not answered in time counts as wrong. */
  readonly effectivePercent: number;
  readonly missedPercent: number;
  readonly p50Ms: number;
  /** By request, whether it was answered in time. */
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
  const measured = models.map(({ variant, profile, maxBatch }) => createRung(variant.name, profile, maxBatch));
  const accuracies = models.map(({ variant }) => variant.accuracy);
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
    const ladder = measured.map(rung => scaleRung(rung, times.factor));
    const startMs = nowMs + times.delayMs;
    for (const call of findHopeless(ladder, queue.calls, startMs)) queue.remove(call as Waiting);
    if (queue.calls.length === 0) continue;
    const expected = queue.expected;
    const choosing = {
      ladder,
      calls: queue.calls,
      startMs,
      expected: expected && { ...expected, nowMs },
      accuracies,
      random,
    };
    const batch = takeBatch(ladder, queue.calls, startMs, rule(choosing));
    const at = ladder.indexOf(batch.rung);
    const measuredMs = measured[at]?.batchMs[batch.rows] as number;
    const stalledMs = noise() < stalls.share ? stalls.ms : 0;
    const tookMs = measuredMs * slower * (0.9 + 0.2 * noise()) + stalledMs;
    nowMs += tookMs;
    times.ran({ measuredMs, tookMs, endedMs: nowMs, wasLoading: false });
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
    inTime,
  };
}

function scaleRung(rung: Rung, factor: number): Rung {
  return { ...rung, batchMs: rung.batchMs.map(ms => factor * ms) };
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
