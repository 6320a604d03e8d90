import { type Batch, chooseBatch } from "../../domain/serving/choose-batch.ts";
import type { Call } from "../../domain/serving/ladder.ts";
import { findRefused } from "../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../domain/serving/waiting-calls.ts";
import { chooseOfTwo } from "../../gateway/balance.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import type { ServedStage } from "./predict-mix.ts";

export interface SimulatedMix {
  /** The share of rows that each rung served. */
  readonly shares: readonly number[];
  /** The share of calls that were refused. */
  readonly refused: number;
}

class Replica {
  readonly waiting = new WaitingCalls<Call>();
  readonly rowMs = 1;
  outstandingRows = 0;
  batch: Batch | null = null;
  endMs = Number.POSITIVE_INFINITY;
}

/** Replicas that serve random calls one by one by the rule of the switchers, balanced as by a gateway, with times as expected. */
export function simulateStage(stage: ServedStage, calls: number, seed: number): SimulatedMix {
  const { rungs, rowsPerCall, softMs, hardMs, callsPerMs } = stage;
  const ladder = { rungs, others: [] };
  const random = seededRandom(seed);
  const replicas = Array.from({ length: stage.replicas }, () => new Replica());
  const rows = new Map(rungs.map(({ variant }) => [variant, 0]));
  let refused = 0;
  const refuse = (replica: Replica, freeMs: number, isIdle: boolean): void => {
    for (const call of findRefused(ladder, replica.waiting.calls, freeMs, isIdle)) {
      replica.waiting.remove(call);
      replica.outstandingRows -= call.rows;
      refused += 1;
    }
  };
  const start = (replica: Replica, nowMs: number): void => {
    refuse(replica, nowMs, true);
    replica.batch = null;
    replica.endMs = Number.POSITIVE_INFINITY;
    if (replica.waiting.calls.length === 0) return;
    const batch = chooseBatch(ladder, replica.waiting.calls, nowMs, replica.waiting.expectCall(nowMs));
    const { variant, batchMs } = batch.rung;
    rows.set(variant, (rows.get(variant) ?? 0) + batch.rows);
    for (const part of batch.parts) replica.waiting.take(part.call, part.rows, variant);
    replica.batch = batch;
    replica.endMs = nowMs + (batchMs[batch.rows] as number);
  };
  const pause = (): number => -Math.log(1 - random()) / callsPerMs;
  let nextMs = pause();
  for (let came = 0; ; ) {
    const soonest = replicas.reduce((first, one) => (one.endMs < first.endMs ? one : first));
    if (came === calls && soonest.batch === null) break;
    if (came === calls || soonest.endMs <= nextMs) {
      soonest.outstandingRows -= soonest.batch?.rows ?? 0;
      start(soonest, soonest.endMs);
      continue;
    }
    const nowMs = nextMs;
    came += 1;
    nextMs += pause();
    const replica = chooseOfTwo(replicas, random) as Replica;
    replica.outstandingRows += rowsPerCall;
    const deadlines = { softMs: nowMs + softMs, hardMs: nowMs + hardMs };
    replica.waiting.add({ rows: rowsPerCall, shape: "", ...deadlines, variant: null }, nowMs);
    if (replica.batch === null) start(replica, nowMs);
    else refuse(replica, replica.endMs, false);
  }
  const all = [...rows.values()].reduce((sum, one) => sum + one, 0);
  return { shares: rungs.map(({ variant }) => (rows.get(variant) ?? 0) / all), refused: refused / calls };
}
