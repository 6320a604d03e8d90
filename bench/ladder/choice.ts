/** A choice is made for every batch, so its time counts. */
import { BatchTimes } from "../../domain/serving/batch-times.ts";
import { chooseBatch } from "../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Ladder } from "../../domain/serving/ladder.ts";
import { findRefused } from "../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../domain/serving/waiting-calls.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";
import { type Figure, figure } from "../figure.ts";

const CHOICES = 20_000;
const CALLS = 512;
const RUNGS = 5;
const TURNS = 200_000;

/** Time of one choice and one look for calls to refuse, where 512 calls of mixed deadlines wait and nothing is easy. */
export function measureChoice(): Figure[] {
  const random = seededRandom(partSeed(1, 1));
  const ladder = createLadder();
  const micros: number[] = [];
  for (let choice = 0; choice < CHOICES; choice += 1) {
    const calls = Array.from({ length: CALLS }, (): Call => {
      const softMs = 20 + 300 * random();
      return { rows: 1 + Math.floor(4 * random()), shape: "a", softMs, hardMs: softMs + 50 * random(), variant: null };
    }).toSorted((a, b) => a.softMs - b.softMs);
    const startMs = 40 * random();
    const startedMs = performance.now();
    const refused = new Set(findRefused(ladder, calls, startMs, true));
    const left = refused.size === 0 ? calls : calls.filter(call => !refused.has(call));
    if (left.length > 0) chooseBatch(ladder, left, startMs, { rows: 4, softAfterMs: 150, nowMs: startMs });
    if (choice >= CHOICES / 10) micros.push((performance.now() - startedMs) * 1000);
  }
  micros.sort((a, b) => a - b);
  const oneCall = measureTurns(ladder, 1);
  return [
    figure("ladder.choiceMicros", round(micros[Math.floor(0.99 * micros.length)] ?? Number.NaN), {
      against: { p50: round(micros[micros.length >> 1] ?? Number.NaN), oneCall, fourCalls: measureTurns(ladder, 4) },
      note: `p99 of ${micros.length} choices, refusals included; ${CALLS} calls of mixed deadlines wait, ${RUNGS} rungs; oneCall, fourCalls: mean of ${TURNS} batches where so many come, with queueing, refusals and learning from the batch`,
    }),
  ];
}

/** Microseconds of the rule for a batch and the `count` calls that come before it. */
function measureTurns(ladder: Ladder, count: number): number {
  const random = seededRandom(partSeed(1, 2));
  const queue = new WaitingCalls<Call>();
  const times = new BatchTimes();
  let nowMs = 0;
  let startedMs = 0;
  for (let turn = -TURNS / 10; turn < TURNS; turn += 1) {
    if (turn === 0) startedMs = performance.now();
    for (let call = 0; call < count; call += 1) {
      const softMs = nowMs + 5 + 10 * random();
      queue.add({ rows: 1, shape: "a", softMs, hardMs: softMs + 5, variant: null }, nowMs);
    }
    while (queue.calls.length > 0) {
      for (const call of findRefused(ladder, queue.calls, nowMs + times.usualDelayMs, true)) queue.remove(call);
      const expected = queue.expectCall(nowMs);
      const startMs = nowMs + times.findLongestDelayMs(expected?.softAfterMs ?? 0);
      const { rung, rows, parts } = chooseBatch(ladder, queue.calls, startMs, expected);
      for (const part of parts) queue.take(part.call, part.rows, rung.variant);
      const measuredMs = rung.batchMs[rows] as number;
      const tookMs = measuredMs * (0.9 + 0.2 * random());
      nowMs += tookMs;
      times.ran({ measuredMs, serviceMs: tookMs, tookMs, endedMs: nowMs, wasLoading: false });
    }
  }
  return round(((performance.now() - startedMs) * 1000) / TURNS);
}

function createLadder(): Ladder {
  const points = [1, 2, 4, 8, 16, 32].map(batch => ({ batch, latencyMs: 0.2 + 0.1 * batch }));
  const rungs = Array.from({ length: RUNGS }, (_, at) => {
    const factor = 2 ** (RUNGS - 1 - at);
    const times = points.map(({ batch, latencyMs }) => ({ batch, latencyMs: factor * latencyMs }));
    return createRung(`v${at}`, { points: times }, 32 >> (RUNGS - 1 - at) || 1);
  });
  return { rungs, others: [] };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
