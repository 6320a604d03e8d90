import { groupSizes, groupSpread, largeGroup, meanVisit } from "./group-size.ts";
import { ownService, ownServices, type ServicePart } from "./own-service.ts";
import type { ServiceTime } from "./service-time.ts";
import { at } from "./wait-distribution.ts";

/** What a stage with one variant and one batch size has to do. */
export interface StageLoad {
  readonly rowRps: number;
  /** Mean rows of one request: they arrive together, and the request waits for the slowest. */
  readonly groupRows: number;
  /** Chance that a row of a request comes to these replicas, the others going elsewhere; 1 where missing. */
  readonly rowShare?: number;
  /** Replicas that work at the same time; a fraction on a shared machine. */
  readonly replicas: number;
  readonly batch: number;
  readonly service: ServiceTime;
}

/**
 * The latency of a stage as a sum of simple random parts, whose distribution `wait-distribution.ts` computes:
 * `constantMs` + the rest of the service time + with chance `waitShare` a wait.
 */
export interface StageLatency {
  /** Below this no request is answered. */
  readonly constantMs: number;
  /** What the service takes beyond that, by the size of the group; shares sum to 1. */
  readonly service: readonly ServicePart[];
  /** Chance that no replica is free for the group. */
  readonly waitShare: number;
  /** Until a replica is free: P[rest > x] = (1 − x/residualMs)^residualServers. */
  readonly residualMs: number;
  readonly residualServers: number;
  /** Service becomes longer because waiting rows share a batch: Exp(growthMs), at most growthMaxMs. */
  readonly growthMs: number;
  readonly growthMaxMs: number;
  /** Behind full batches that are queued: with chance `backlogShare` Exp(backlogMs). */
  readonly backlogShare: number;
  readonly backlogMs: number;
  /** The request waits for the slowest of so many independent ones. */
  readonly slowestOf: number;
}

const MAX_UTILISATION = 0.999;

/**
 * Latency of a stage: groups of K rows arrive as a Poisson process at n replicas, and a free replica takes min(queued, b)
 * rows at once, without waiting for more (l: service time, λ: rows per ms, h = b/l(b), ρ = λ/(n·h), c²: its scv).
 *
 * - Of a group of which each row comes here with a chance, the number of rows is binomial: own service is that of each number, what is
 *   met under way and queued is by E[K²]/E[K] rows.
 * - Service: the group's ⌈K/b⌉ batches run in R = ⌈⌈K/b⌉/n⌉ rounds; noise with the mean 0 and the variance of their sum, and
 *   more on top for those that wait, whose batches are larger.
 * - No replica free: u^e, u being the share of busy replicas and m = n/max(1, K/b) the groups that fit at once. The exponent
 *   goes from (m+1)/2 at low load (Bolch et al., Queueing Networks and Markov Chains, §6.5) to √(2(m+1)) − 1 (Sakasegawa 1977).
 * - Rest of the services under way: the first of m services in uniform phases; those of a group's last round leave replicas
 *   free, and a group that fits there does not wait for them.
 * - While one waits, groups join its batch: in an interval between starts, which arrivals see length-biased (2·l/(n+1)),
 *   arrive ν groups; their number is taken as exponential, cut at the batch size. Batches of those that wait are larger and take less for a
 *   row, which is in the share of busy replicas again: the chance to wait is that at which both agree.
 * - Full batches ahead: see `behindBatches`.
 *
 * Against simulation (`docs/report/optimisation.md`: 500 random stages, ρ 0.3–0.85, K 1–10, n 1–8, c² to 0.3): p99 within 20 % for
 * all of those with b to 8, and for 98 % with b = 16, 36 % at worst: many replicas that take small batches come into
 * step, and then all are busy at the same time. The third power of the share of batches that started from the queue is fitted.
 *
 * Arrivals at later stages are taken as Poisson too. A stage that gets less than one row per request counts for all requests.
 *
 * Worked example: n = b = K = 1, l = 10 ms, ρ = 0.8, c² = 0: a chance of 0.8 to wait, a rest of at most 10 ms, and
 * behind it with chance 0.86 Exp(23.2 ms); mean wait 0.8·(5 + 0.86·23.2) = 20 ms, as in M/D/1.
 */
export function stageLatency(load: StageLoad): StageLatency {
  const { batch, service } = load;
  const n = Math.max(1, load.replicas);
  const rowShare = Math.min(1, load.rowShare ?? 1);
  const requestRows = Math.max(1, load.groupRows);
  const isPart = rowShare < 1;
  const meanRows = isPart ? meanVisit(requestRows, rowShare) : requestRows;
  const spread = groupSpread(requestRows, rowShare);
  const rows = isPart ? spread : largeGroup(meanRows);
  const rate = load.rowRps / 1000;
  const fullMs = service.meanMs(batch);
  const share = Math.min(MAX_UTILISATION, (rate * fullMs) / (n * batch));
  const batches = Math.max(1, rows / batch);
  const fit = Math.max(1, n / batches);
  const busy = whenBusy(load, rows, meanRows, n, fit);
  const own = isPart ? ownServices(load, groupSizes(requestRows, rowShare), n) : ownService(load, rows, n);
  const stretch = Math.sqrt(1 + busy.waitShare * (busy.stretch ** 2 - 1));
  return {
    constantMs: own.constantMs,
    service: own.parts.map(part => ({ ...part, firstMs: stretch * part.firstMs, secondMs: stretch * part.secondMs })),
    waitShare: busy.waitShare,
    residualMs: busy.serviceMs * Math.max(1, Math.ceil(batches / n - 0.5)),
    residualServers: fit,
    growthMs: busy.growthMs,
    growthMaxMs: busy.growthMaxMs,
    ...behindBatches(load, meanRows, spread, n, share),
    slowestOf: 1,
  };
}

/**
 * Behind the full batches ahead of a group: mean and tail of M/G/1 for a server as fast as all replicas, which takes
 * s = K/(n·h) for a group. The mean is ρ·X/(1−ρ), X = (E[K²]/E[K] + b·c²)/(2·n·h) (Allen–Cunneen with group arrivals). The tail falls
 * with the time that the Cramér–Lundberg equation gives: `constantTail`·s/(1−ρ) for a constant s, s/(1−ρ) for an exponential one,
 * in between (scv 2X/s − 1) linear, which is within 2 % for gamma times, and X/(1−ρ) for what varies more.
 */
function behindBatches(
  { batch, service }: StageLoad,
  meanRows: number,
  spreadRows: number,
  n: number,
  share: number,
): Pick<StageLatency, "backlogShare" | "backlogMs"> {
  const rowMs = service.meanMs(batch) / (n * batch);
  const excessMs = ((spreadRows + batch * service.scv(batch)) * rowMs) / 2;
  const groupMs = meanRows * rowMs;
  const spread = Math.min(1, Math.max(0, (2 * excessMs) / groupMs - 1));
  const tailMs = (1 - spread) * constantTail(share) * groupMs + spread * Math.max(groupMs, excessMs);
  const backlogShare = tailMs > 0 ? Math.min(1, (share * excessMs) / tailMs) : 0;
  return { backlogShare, backlogMs: tailMs / (1 - share) };
}

const TAIL_STEPS = 1024;
let tails: Float64Array | undefined;

/** (1 − ρ)/z with ρ(e^z − 1) = z: (1 − ρ) times the decay of M/D/1's waiting time, in service times. Grows with ρ, to ½. */
function constantTail(share: number): number {
  tails ??= Float64Array.from({ length: TAIL_STEPS + 1 }, (_, i) => tailAt(i / TAIL_STEPS));
  return at(tails, share * TAIL_STEPS);
}

function tailAt(share: number): number {
  if (share >= 1) return 0.5;
  if (share <= 0) return 0;
  let [low, high] = [0, 1];
  while (share * Math.expm1(high) < high) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (share * Math.expm1(middle) < middle) low = middle;
    else high = middle;
  }
  return (1 - share) / high;
}

interface Busy {
  readonly waitShare: number;
  /** Mean length of the services under way. */
  readonly serviceMs: number;
  /** Service of a batch that started from the queue, over that of the group alone. */
  readonly stretch: number;
  readonly growthMs: number;
  readonly growthMaxMs: number;
}

function whenBusy(load: StageLoad, rows: number, meanRows: number, n: number, fit: number): Busy {
  const { batch, service } = load;
  const rate = load.rowRps / 1000;
  const first = Math.min(rows, batch);
  const firstMs = service.meanMs(first);
  const idleRows = Math.max(1, rows / Math.ceil(rows / batch));
  const idleMsPerRow = service.meanMs(idleRows) / idleRows;
  const room = (batch - first) / meanRows;
  if (room <= 0) {
    const waitShare = chanceToWait(Math.min(1, (rate * idleMsPerRow) / n), fit);
    return { waitShare, serviceMs: firstMs, stretch: 1, growthMs: 0, growthMaxMs: 0 };
  }
  const growthMaxMs = Math.max(0, service.meanMs(batch) - firstMs);
  const joining = ((rate / meanRows) * 2 * firstMs) / (n + 1);
  const joined = joining > 0 ? joining * (1 - Math.exp(-room / joining)) : 0;
  const queuedRows = first + meanRows * joined;
  const queuedMs = service.meanMs(queuedRows);
  const waitShare = sharedWait((rate * idleMsPerRow) / n, (rate * queuedMs) / (n * queuedRows), fit);
  const fromQueue = waitShare ** 3;
  const serviceMs = (1 - fromQueue) * firstMs + fromQueue * queuedMs;
  const stretch = Math.max(1, queuedMs / firstMs);
  return { waitShare, serviceMs, stretch, growthMs: (growthMaxMs * joining) / room, growthMaxMs };
}

const MOST_STEPS = 40;
const TOLERANCE = 1e-10;

/**
 * The chance w to wait where what waits is served in larger batches: w = chanceToWait((1 − w)·alone + w·queued), by Newton's method
 * between bounds. The fixed point itself grows with the load; a fixed number of iterates towards it does not where larger batches
 * relieve replicas a lot. Where they take longer for a row there may be several: the one that iterates from 0 come to.
 */
function sharedWait(alone: number, queued: number, fit: number): number {
  if (queued >= alone) return risingWait(alone, queued, fit);
  let low = 0;
  let high = chanceToWait(Math.min(1, alone), fit);
  let share = high;
  for (let i = 0; i < MOST_STEPS && high - low > TOLERANCE; i++) {
    const busy = (1 - share) * alone + share * queued;
    const found = chanceToWait(Math.min(1, busy), fit);
    if (Math.abs(found - share) <= TOLERANCE) return found;
    if (found > share) low = share;
    else high = share;
    const slope = busy < 1 ? slopeOfWait(busy, found, fit) * (queued - alone) : 0;
    const next = share + (found - share) / (1 - slope);
    share = next > low && next < high ? next : (low + high) / 2;
  }
  return share;
}

function risingWait(alone: number, queued: number, fit: number): number {
  let share = 0;
  for (let i = 0; i < MOST_STEPS; i++) {
    const found = chanceToWait(Math.min(1, (1 - share) * alone + share * queued), fit);
    if (found - share <= TOLERANCE) return found;
    share = found;
  }
  return share;
}

function chanceToWait(busyShare: number, fit: number): number {
  return busyShare ** exponentOf(busyShare, fit);
}

function exponentOf(busyShare: number, fit: number): number {
  const low = (fit + 1) / 2;
  const high = Math.sqrt(2 * (fit + 1)) - 1;
  return low + (high - low) * busyShare * busyShare;
}

/** Derivative of `chanceToWait` by the share of busy replicas, `chance` being its value. */
function slopeOfWait(busyShare: number, chance: number, fit: number): number {
  if (busyShare <= 0) return 0;
  const exponent = exponentOf(busyShare, fit);
  const lowest = (fit + 1) / 2;
  return (chance * (2 * (exponent - lowest) * Math.log(busyShare) + exponent)) / busyShare;
}
