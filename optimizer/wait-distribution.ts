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

/**
 * The distribution of a stage's random part. Works on the integral of the distribution function: there a convolution with an
 * exponential is one pass of a recurrence.
 */
export function cumulativeOf(latency: StageLatency, stepMs: number, cells: number = CELLS): Cumulative {
  const points = cells + 2;
  let integral = new Float64Array(points);
  if (latency.waitShare > 1e-9) {
    integral = waitIntegral(latency, stepMs, points);
    for (let i = 0; i < points; i++) {
      integral[i] = (1 - latency.waitShare) * i * stepMs + latency.waitShare * (integral[i] ?? 0);
    }
  } else for (let i = 0; i < points; i++) integral[i] = i * stepMs;
  integral = withService(integral, latency.service, stepMs);
  const cumulative = new Float64Array(cells + 1);
  let below = 0;
  for (let i = 0; i <= cells; i++) {
    const chance = ((integral[i + 1] as number) - (integral[i] as number)) / stepMs;
    if (chance > below) below = Math.min(1, chance);
    cumulative[i] = below;
  }
  return latency.slowestOf > 1 ? cumulative.map(chance => chance ** latency.slowestOf) : cumulative;
}

function waitIntegral(latency: StageLatency, stepMs: number, points: number): Float64Array<ArrayBuffer> {
  const { residualMs, residualServers, growthMs, growthMaxMs } = latency;
  const integral = new Float64Array(points);
  const meanMs = residualMs / (residualServers + 1);
  for (let i = 0; i < points; i++) {
    const ms = i * stepMs;
    integral[i] = ms >= residualMs ? ms - meanMs : ms - meanMs * (1 - power(1 - ms / residualMs, residualServers + 1));
  }
  if (growthMs > 0 && growthMaxMs > 0) addCutExponential(integral, growthMs, growthMaxMs, stepMs);
  addExponential(integral, latency.backlogMs, latency.backlogShare, stepMs);
  return integral;
}

function withService(
  wait: Float64Array<ArrayBuffer>,
  parts: readonly ServicePart[],
  stepMs: number,
): Float64Array<ArrayBuffer> {
  const [first] = parts;
  if (parts.length === 1 && first?.moreMs === 0) return withNoise(wait, first, stepMs);
  const sum = new Float64Array(wait.length);
  for (const part of parts) {
    const own = withNoise(wait.slice(), part, stepMs);
    const shift = part.moreMs / stepMs;
    for (let i = Math.ceil(shift); i < sum.length; i++) sum[i] = (sum[i] as number) + part.share * at(own, i - shift);
  }
  return sum;
}

/** In place. */
function withNoise(integral: Float64Array<ArrayBuffer>, part: ServicePart, stepMs: number): Float64Array<ArrayBuffer> {
  addExponential(integral, part.firstMs, 1, stepMs);
  addExponential(integral, part.secondMs, part.secondShare, stepMs);
  return integral;
}

/** Whole small exponents are what nearly all stages have: several times faster than `**`. */
function power(base: number, exponent: number): number {
  if (exponent > 8 || !Number.isInteger(exponent)) return base ** exponent;
  let product = base;
  for (let i = 1; i < exponent; i++) product *= base;
  return product;
}

/** Convolves with a time that is Exp(meanMs) with chance `share`, else 0; exact where `integral` is linear between points. */
function addExponential(integral: Float64Array, meanMs: number, share: number, stepMs: number): void {
  if (!(meanMs > 0) || !(share > 0)) return;
  const kept = Math.exp(-stepMs / meanMs);
  const lost = ((1 - kept) * meanMs) / stepMs;
  let before = integral[0] as number;
  let convolved = 0;
  for (let i = 1; i < integral.length; i++) {
    const here = integral[i] as number;
    convolved = kept * convolved + (1 - lost) * here + (lost - kept) * before;
    before = here;
    integral[i] = share >= 1 ? convolved : (1 - share) * here + share * convolved;
  }
}

/** Convolves with min(Exp(meanMs), mostMs). */
function addCutExponential(integral: Float64Array, meanMs: number, mostMs: number, stepMs: number): void {
  const plain = integral.slice();
  addExponential(integral, meanMs, 1, stepMs);
  const cut = Math.exp(-mostMs / meanMs);
  const shift = mostMs / stepMs;
  const whole = Math.ceil(shift);
  const part = whole - shift;
  // From the end: reads entries of the uncut convolution before they are replaced.
  for (let i = integral.length - 1; i >= whole; i--) {
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
