import { exponential, normal, seededRandom } from "../../load/seeded-random.ts";

/** One stage as the latency model sees it: Poisson groups of rows, one queue, replicas that take what is queued. */
export interface SimulatedStage {
  /** Rows per second. */
  readonly rowRps: number;
  /** Mean rows of a group; a fraction is drawn as the whole number below or above. */
  readonly groupRows: number;
  readonly replicas: number;
  readonly batch: number;
  /** Mean service time of a batch of `rows` rows. */
  readonly serviceMs: (rows: number) => number;
  /** Squared coefficient of variation of the service time (log-normal). */
  readonly scv: number;
}

/** A stage at a utilisation of full batches between 0.3 and 0.85, with 1–10 rows a group; a row of a batch of 16 costs up to 9 times less. */
export function randomStage(random: () => number, batches: readonly number[]): SimulatedStage {
  const among = (values: readonly number[]) => values[Math.floor(random() * values.length)] ?? 1;
  const utilisation = 0.3 + 0.55 * random();
  const groupRows = random() < 0.5 ? 1 + Math.floor(10 * random()) : 1 + 9 * random();
  const replicas = 1 + Math.floor(8 * random());
  const batch = among(batches);
  const fixed = 0.95 * random();
  const serviceMs = (rows: number) => 10 * (fixed + (1 - fixed) * rows);
  const rowRps = (1000 * utilisation * replicas * batch) / serviceMs(batch);
  return { rowRps, groupRows, replicas, batch, serviceMs, scv: among([0.001, 0.01, 0.05, 0.1, 0.3]) };
}

/**
 * Discrete-event simulation: latencies in ms of `groups` groups, from arrival to the end of the group's slowest row, in
 * ascending order. A free replica takes min(queued, batch) rows at once and never waits for more.
 */
export function simulateStage(stage: SimulatedStage, groups: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const sigma = Math.sqrt(Math.log1p(stage.scv));
  const service = (rows: number) => stage.serviceMs(rows) * Math.exp(sigma * normal(random) - (sigma * sigma) / 2);
  const gapMs = (1000 * stage.groupRows) / stage.rowRps;
  const arrivedMs = new Float64Array(groups);
  const doneMs = new Float64Array(groups);
  const rowsLeft = new Int32Array(groups);
  const freeAtMs = new Float64Array(stage.replicas);
  let arrived = 0;
  let head = 0;
  let queued = 0;
  let nextArrivalMs = exponential(random, gapMs);
  for (;;) {
    let replica = 0;
    for (let i = 1; i < stage.replicas; i++) if ((freeAtMs[i] ?? 0) < (freeAtMs[replica] ?? 0)) replica = i;
    const freeMs = freeAtMs[replica] ?? 0;
    // Arrivals before the next free replica join the queue; when it is empty the next one starts the clock.
    if (arrived < groups && (queued === 0 || nextArrivalMs <= freeMs)) {
      const rows = Math.floor(stage.groupRows) + (random() < stage.groupRows % 1 ? 1 : 0);
      arrivedMs[arrived] = nextArrivalMs;
      rowsLeft[arrived] = rows;
      queued += rows;
      if (rows === 0) doneMs[arrived] = nextArrivalMs;
      arrived++;
      nextArrivalMs += exponential(random, gapMs);
      continue;
    }
    if (queued === 0) break;
    let take = Math.min(queued, stage.batch);
    while (rowsLeft[head] === 0) head++;
    const endMs = Math.max(freeMs, arrivedMs[head] ?? 0) + service(take);
    freeAtMs[replica] = endMs;
    queued -= take;
    while (take > 0) {
      const rows = Math.min(take, rowsLeft[head] ?? 0);
      rowsLeft[head] = (rowsLeft[head] ?? 0) - rows;
      doneMs[head] = Math.max(doneMs[head] ?? 0, endMs);
      take -= rows;
      if (rowsLeft[head] === 0 && take > 0) head++;
    }
  }
  return doneMs.map((done, i) => done - (arrivedMs[i] ?? 0)).sort();
}
