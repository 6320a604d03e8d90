import type { StageLatency } from "./latency.ts";
import type { ServicePart } from "./own-service.ts";

/**
 * Distribution of a random time beyond a stage's constant part, on a grid: entry i is the mean of its distribution function
 * between i and i+1 steps. That keeps means exact however coarse the grid is, and a time that is stochastically larger never
 * has a larger entry: what the search's bounds rest on. (A gamma tail fitted to mean and variance has no such order.)
 */
export type Cumulative = Float64Array;

/** Steps of the grid between 0 and the time of interest. */
export const CELLS = 48;

/** Working space of `cumulativeOf`, one array for each purpose: to allocate it for every option takes as long as to compute. */
const space: Record<"wait" | "plain" | "own" | "sum", Float64Array> = {
  wait: new Float64Array(0),
  plain: new Float64Array(0),
  own: new Float64Array(0),
  sum: new Float64Array(0),
};

function spaceFor(name: keyof typeof space, points: number): Float64Array {
  if (space[name].length < points) space[name] = new Float64Array(Math.max(points, CELLS + 2));
  return space[name];
}

/**
 * The distribution of a stage's random part. Works on the integral of the distribution function: there a convolution with an
 * exponential is one pass of a recurrence.
 */
export function cumulativeOf(latency: StageLatency, stepMs: number, cells: number = CELLS): Cumulative {
  const points = cells + 2;
  const wait = spaceFor("wait", points);
  const isWaiting = latency.waitShare > 1e-9;
  if (isWaiting) fillWait(wait, latency, stepMs, points);
  else wait.fill(0, 0, points);
  const waitShare = isWaiting ? latency.waitShare : 0;
  const backlogShare = isWaiting ? latency.backlogShare : 0;
  const [first] = latency.service;
  const cumulative = new Float64Array(cells + 1);
  if (latency.service.length === 1 && first?.moreMs === 0) {
    fill(cumulative, wait, { ...latency, waitShare, backlogShare }, first, stepMs);
  } else {
    addExponential(wait, latency.backlogMs, backlogShare, stepMs, points);
    for (let i = 0; i < points; i++) wait[i] = (1 - waitShare) * i * stepMs + waitShare * (wait[i] as number);
    fillFrom(cumulative, withService(wait, latency.service, stepMs, points), stepMs);
  }
  const { slowestOf } = latency;
  if (slowestOf > 1) for (let i = 0; i <= cells; i++) cumulative[i] = (cumulative[i] as number) ** slowestOf;
  return cumulative;
}

/** Integral of the wait without what is queued ahead. */
function fillWait(integral: Float64Array, latency: StageLatency, stepMs: number, points: number): void {
  const { residualMs, residualServers, growthMs, growthMaxMs } = latency;
  const meanMs = residualMs / (residualServers + 1);
  for (let i = 0; i < points; i++) {
    const ms = i * stepMs;
    integral[i] = ms >= residualMs ? ms - meanMs : ms - meanMs * (1 - power(1 - ms / residualMs, residualServers + 1));
  }
  if (growthMs > 0 && growthMaxMs > 0) addCutExponential(integral, growthMs, growthMaxMs, stepMs, points);
}

/**
 * What is queued ahead and a service of one part added to a wait, in one pass: recurrences that stand side by side take no longer
 * than one of them.
 */
function fill(cumulative: Cumulative, wait: Float64Array, latency: StageLatency, part: ServicePart, stepMs: number) {
  const { waitShare } = latency;
  const queued = kernel(latency.backlogMs, latency.backlogShare, stepMs);
  const one = kernel(part.firstMs, 1, stepMs);
  const two = kernel(part.secondMs, part.secondShare, stepMs);
  let queuedSum = 0;
  let oneSum = 0;
  let twoSum = 0;
  let waitBefore = wait[0] as number;
  let mixedBefore = waitShare * waitBefore;
  let oneBefore = mixedBefore;
  let before = mixedBefore;
  let below = 0;
  for (let i = 1; i < cumulative.length + 1; i++) {
    const here = wait[i] as number;
    queuedSum = queued.kept * queuedSum + queued.now * here + queued.last * waitBefore;
    waitBefore = here;
    const mixed = (1 - waitShare) * i * stepMs + waitShare * (queued.rest * here + queued.share * queuedSum);
    oneSum = one.kept * oneSum + one.now * mixed + one.last * mixedBefore;
    mixedBefore = mixed;
    const withOne = one.rest * mixed + one.share * oneSum;
    twoSum = two.kept * twoSum + two.now * withOne + two.last * oneBefore;
    oneBefore = withOne;
    const all = two.rest * withOne + two.share * twoSum;
    const chance = (all - before) / stepMs;
    before = all;
    if (chance > below) below = Math.min(1, chance);
    cumulative[i - 1] = below;
  }
}

function fillFrom(cumulative: Cumulative, integral: Float64Array, stepMs: number): void {
  let below = 0;
  for (let i = 0; i < cumulative.length; i++) {
    const chance = ((integral[i + 1] as number) - (integral[i] as number)) / stepMs;
    if (chance > below) below = Math.min(1, chance);
    cumulative[i] = below;
  }
}

/** In working space; `wait` stays. */
function withService(wait: Float64Array, parts: readonly ServicePart[], stepMs: number, points: number): Float64Array {
  const own = spaceFor("own", points);
  const sum = spaceFor("sum", points).fill(0, 0, points);
  for (const part of parts) {
    for (let i = 0; i < points; i++) own[i] = wait[i] as number;
    addExponential(own, part.firstMs, 1, stepMs, points);
    addExponential(own, part.secondMs, part.secondShare, stepMs, points);
    const shift = part.moreMs / stepMs;
    for (let i = Math.ceil(shift); i < points; i++) sum[i] = (sum[i] as number) + part.share * at(own, i - shift);
  }
  return sum;
}

/** Whole small exponents are what nearly all stages have: several times faster than `**`. */
function power(base: number, exponent: number): number {
  if (exponent > 8 || !Number.isInteger(exponent)) return base ** exponent;
  let product = base;
  for (let i = 1; i < exponent; i++) product *= base;
  return product;
}

/** Of the convolution of an integral with a time that is Exp(meanMs) with chance `share`, else 0. */
interface Kernel {
  readonly kept: number;
  readonly now: number;
  readonly last: number;
  readonly share: number;
  readonly rest: number;
}

const NO_KERNEL: Kernel = { kept: 0, now: 1, last: 0, share: 0, rest: 1 };

/** Exact where the integral is linear between points. */
function kernel(meanMs: number, share: number, stepMs: number): Kernel {
  if (!(meanMs > 0) || !(share > 0)) return NO_KERNEL;
  const kept = Math.exp(-stepMs / meanMs);
  const lost = ((1 - kept) * meanMs) / stepMs;
  return { kept, now: 1 - lost, last: lost - kept, share: Math.min(1, share), rest: Math.max(0, 1 - share) };
}

/** In place. */
function addExponential(integral: Float64Array, meanMs: number, share: number, stepMs: number, points: number): void {
  if (!(meanMs > 0) || !(share > 0)) return;
  const { kept, now, last, share: part, rest } = kernel(meanMs, share, stepMs);
  let before = integral[0] as number;
  let convolved = 0;
  for (let i = 1; i < points; i++) {
    const here = integral[i] as number;
    convolved = kept * convolved + now * here + last * before;
    before = here;
    integral[i] = rest * here + part * convolved;
  }
}

/** Convolves with min(Exp(meanMs), mostMs), in place. */
function addCutExponential(
  integral: Float64Array,
  meanMs: number,
  mostMs: number,
  stepMs: number,
  points: number,
): void {
  const plain = spaceFor("plain", points);
  for (let i = 0; i < points; i++) plain[i] = integral[i] as number;
  addExponential(integral, meanMs, 1, stepMs, points);
  const cut = Math.exp(-mostMs / meanMs);
  const shift = mostMs / stepMs;
  const whole = Math.ceil(shift);
  const part = whole - shift;
  // From the end: reads entries of the uncut convolution before they are replaced.
  for (let i = points - 1; i >= whole; i--) {
    const low = i - whole;
    const lowest = (plain[low] ?? 0) - (integral[low] ?? 0);
    const difference =
      part === 0 ? lowest : lowest + part * ((plain[low + 1] ?? 0) - (integral[low + 1] ?? 0) - lowest);
    integral[i] = (integral[i] ?? 0) + cut * difference;
  }
}

/** Value at a position between two entries, linear. */
export function at(values: Float64Array, position: number): number {
  const below = Math.floor(position);
  const part = position - below;
  const low = values[below] ?? 0;
  return part === 0 ? low : low + part * ((values[below + 1] ?? low) - low);
}

/** Entries that are needed to know the chance of at most `ms`. */
export function entriesFor(stepMs: number, ms: number): number {
  return Math.min(CELLS + 1, Math.max(0, Math.floor(ms / stepMs)) + 3);
}

/** Distribution of the sum of two independent times, up to `length` entries. */
export function convolve(a: Cumulative, b: Cumulative, length: number = CELLS + 1): Cumulative {
  const sum = new Float64Array(Math.min(length, a.length, b.length));
  let below = 0;
  for (let i = 0; i < sum.length; i++) {
    const mass = (a[i] ?? 0) - below;
    below = a[i] ?? 0;
    if (mass <= 0) continue;
    for (let j = i; j < sum.length; j++) sum[j] = (sum[j] as number) + mass * (b[j - i] as number);
  }
  return sum;
}

/** As `convolve`; null stands for a time that is always 0. */
export function sumOf(a: Cumulative | null, b: Cumulative | null, length: number): Cumulative | null {
  return a && b ? convolve(a, b, length) : (a ?? b);
}

/** P[time ≤ ms], linear between the middles of the grid's cells; 0 for a negative time. */
export function chanceWithin(cumulative: Cumulative, stepMs: number, ms: number): number {
  if (!(ms >= 0)) return 0;
  const position = Math.min(cumulative.length - 1, Math.max(0, ms / stepMs - 0.5));
  return at(cumulative, position);
}

/** As `chanceWithin(sumOf(a, b), …)`, without the whole convolution. */
export function chanceSumWithin(a: Cumulative, b: Cumulative | null, stepMs: number, ms: number): number {
  if (!(ms >= 0)) return 0;
  if (b === null) return chanceWithin(a, stepMs, ms);
  const position = Math.min(a.length - 1, Math.max(0, ms / stepMs - 0.5));
  const last = Math.floor(position);
  const part = position - last;
  let below = 0;
  let low = 0;
  let high = 0;
  for (let i = 0; i <= last; i++) {
    const mass = (a[i] ?? 0) - below;
    below = a[i] ?? 0;
    low += mass * (b[last - i] ?? 0);
    high += mass * (b[last + 1 - i] ?? 0);
  }
  if (part === 0) return low;
  high += ((a[last + 1] ?? 0) - below) * (b[0] ?? 0);
  return low + part * (high - low);
}
