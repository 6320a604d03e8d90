import { exponential, normal, seededRandom } from "../../load/seeded-random.ts";
import { stageLatency } from "../../optimizer/latency.ts";
import { atRandom } from "../../optimizer/served-latency.ts";
import type { StageMixture } from "../../optimizer/stage-mixture.ts";
import { randomStage } from "./stage-simulation.ts";

/** Replicas of one variant. */
interface SimulatedPart {
  /** Chance that a row goes here; 1 where every part gets every row. */
  readonly share: number;
  readonly replicas: number;
  readonly batch: number;
  /** Mean service time of a batch of `rows` rows. */
  readonly serviceMs: (rows: number) => number;
  /** Squared coefficient of variation of the service time (log-normal). */
  readonly scv: number;
}

export interface SplitStage {
  readonly requestRps: number;
  /** Mean rows of a request; a fraction is drawn as the whole number below or above. */
  readonly groupRows: number;
  /** `random`: every row goes to any replica of its part, which has a queue of its own. */
  readonly balancing: "leastWork" | "random";
  readonly parts: readonly SimulatedPart[];
}

export const SPLITS = ["random", "split", "split at random", "vote"] as const;

/** A stage whose parts have utilisations of full batches between 0.3 and 0.85, as `randomStage` has them. */
export function randomSplit(kind: (typeof SPLITS)[number], random: () => number): SplitStage {
  const among = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
  const shares =
    kind === "random"
      ? [1]
      : kind === "vote"
        ? among([
            [1, 1, 1],
            [1, 1, 1, 1, 1],
          ])
        : among([
            [0.25, 0.75],
            [0.5, 0.5],
          ]);
  const stages = shares.map(() => randomStage(random, [1, 2, 4, 8]));
  const { groupRows = 1, rowRps = 1 } = stages[0] ?? {};
  return {
    requestRps: rowRps / groupRows,
    groupRows,
    balancing: kind.endsWith("random") ? "random" : "leastWork",
    parts: stages.map(({ replicas, batch, scv, serviceMs, rowRps: ownRps }, i) => {
      const share = shares[i] ?? 1;
      return { share, replicas, batch, scv, serviceMs: rows => (serviceMs(rows) * ownRps) / (rowRps * share) };
    }),
  };
}

/** The same stage as the latency model has it. */
export function mixtureOf({ requestRps, groupRows, balancing, parts }: SplitStage): StageMixture {
  const latency = balancing === "random" ? atRandom : stageLatency;
  return {
    rows: groupRows,
    parts: parts.map(({ share, replicas, batch, serviceMs, scv }) => ({
      share,
      latency: latency({
        rowRps: requestRps * groupRows * share,
        groupRows,
        rowShare: share,
        replicas,
        batch,
        service: { meanMs: serviceMs, scv: () => scv },
      }),
    })),
  };
}

/**
 * Latencies in ms of Poisson requests, in ascending order: until the last row is served, and where every part gets every row, by all
 * parts. Queues know nothing of one another, so each is simulated by itself on the same requests.
 */
export function simulateSplit(stage: SplitStage, requests: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const { groupRows, balancing, parts } = stage;
  const isVote = parts.every(({ share }) => share >= 1);
  const arrivedMs = new Float64Array(requests);
  const queues = parts.flatMap(part => {
    const count = balancing === "random" ? part.replicas : 1;
    return Array.from({ length: count }, () => ({
      part,
      servers: part.replicas / count,
      rows: new Int32Array(requests),
    }));
  });
  const queueOf = (part: SimulatedPart) => {
    const own = queues.filter(queue => queue.part === part);
    return () => (own.length === 1 ? own[0] : own[Math.floor(random() * own.length)]);
  };
  const pick = parts.map(queueOf);
  let nowMs = 0;
  for (let i = 0; i < requests; i++) {
    nowMs += exponential(random, 1000 / stage.requestRps);
    arrivedMs[i] = nowMs;
    const rows = Math.floor(groupRows) + (random() < groupRows % 1 ? 1 : 0);
    for (let row = 0; row < rows; row++) {
      const chosen = isVote ? pick : pick.slice(partOf(parts, random())).slice(0, 1);
      for (const next of chosen) addRow(next(), i);
    }
  }
  const doneMs = arrivedMs.slice();
  for (const queue of queues) serve(queue, arrivedMs, doneMs, random);
  return doneMs.map((done, i) => done - (arrivedMs[i] ?? 0)).sort();
}

function partOf(parts: readonly SimulatedPart[], chance: number): number {
  let left = chance;
  const index = parts.findIndex(({ share }) => {
    left -= share;
    return left < 0;
  });
  return index < 0 ? parts.length - 1 : index;
}

interface Queue {
  readonly part: SimulatedPart;
  readonly servers: number;
  /** By request. */
  readonly rows: Int32Array;
}

function addRow(queue: Queue | undefined, request: number): void {
  if (queue) queue.rows[request] = (queue.rows[request] ?? 0) + 1;
}

/** First come, first served: the server that is free first takes what is queued then, at most a batch. Moves `doneMs` to the last end. */
function serve(
  { part, servers, rows }: Queue,
  arrivedMs: Float64Array,
  doneMs: Float64Array,
  random: () => number,
): void {
  const sigma = Math.sqrt(Math.log1p(part.scv));
  const freeMs = new Float64Array(servers);
  let head = 0;
  while (head < rows.length) {
    if (rows[head] === 0) {
      head++;
      continue;
    }
    const server = freeMs.indexOf(Math.min(...freeMs));
    const startMs = Math.max(freeMs[server] ?? 0, arrivedMs[head] ?? 0);
    let room = part.batch;
    let last = head;
    for (; room > 0 && last < rows.length && (arrivedMs[last] ?? 0) <= startMs; last++) room -= rows[last] ?? 0;
    const size = part.batch - Math.max(0, room);
    const endMs = startMs + part.serviceMs(size) * Math.exp(sigma * normal(random) - (sigma * sigma) / 2);
    freeMs[server] = endMs;
    let left = size;
    for (let i = head; i < last; i++) {
      const taken = Math.min(left, rows[i] ?? 0);
      if (taken === 0) continue;
      left -= taken;
      rows[i] = (rows[i] ?? 0) - taken;
      doneMs[i] = Math.max(doneMs[i] ?? 0, endMs);
    }
  }
}
