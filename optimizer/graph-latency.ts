import type { Scope } from "./scope.ts";
import { CELLS, type Cumulative, chanceWithin, convolve } from "./wait-distribution.ts";

/** A latency whose distribution `cumulative` has beyond `constantMs`. */
export interface Latency {
  readonly constantMs: number;
  readonly cumulative: Cumulative;
}

/**
 * The distribution from 0 on, constant part included. The paths of a graph have different constants: on one grid for all, a time
 * that is stochastically larger still never has a larger entry.
 */
export function fromZero({ constantMs, cumulative }: Latency, stepMs: number): Cumulative {
  const shift = constantMs / stepMs;
  const whole = Math.floor(shift);
  const part = shift - whole;
  const last = cumulative.length - 1;
  const shifted = new Float64Array(CELLS + 1);
  for (let i = whole; i <= CELLS; i++) {
    const here = cumulative[Math.min(last, i - whole)] ?? 0;
    const before = i > whole ? (cumulative[Math.min(last, i - whole - 1)] ?? 0) : 0;
    shifted[i] = (1 - part) * here + part * before;
  }
  return shifted;
}

/**
 * P[the slowest path takes at most the SLO]. A stage starts when all that it waits for is done; those times count as independent,
 * which for paths that have stages in common makes the request late a little too often (they are positively associated).
 *
 * @param latencies by stage, from `fromZero`; null: takes no time.
 */
export function graphWithin(scope: Scope, latencies: readonly (Cumulative | null)[]): number {
  const done: (Cumulative | null)[] = [];
  for (const [s, { after }] of scope.stages.entries()) {
    const start = slowest(after.map(index => done[index] ?? null));
    const own = latencies[s] ?? null;
    done.push(start && own ? convolve(start, own) : (start ?? own));
  }
  const end = slowest(lastStages(scope).map(index => done[index] ?? null));
  return end === null ? 1 : chanceWithin(end, scope.stepMs, scope.sloMs);
}

/** Longest path of plain latencies. */
export function longestPathMs(scope: Scope, latenciesMs: readonly number[]): number {
  const doneMs: number[] = [];
  for (const [s, { after }] of scope.stages.entries())
    doneMs.push(Math.max(0, ...after.map(index => doneMs[index] ?? 0)) + (latenciesMs[s] ?? 0));
  return Math.max(0, ...doneMs);
}

/** Stages that no other stage waits for. */
function lastStages(scope: Scope): number[] {
  return scope.stages.flatMap((_, s) => (scope.stages.some(({ after }) => after.includes(s)) ? [] : [s]));
}

function slowest(times: readonly (Cumulative | null)[]): Cumulative | null {
  const [first, ...others] = times.filter(time => time !== null);
  if (!first || others.length === 0) return first ?? null;
  return first.map((chance, i) => others.reduce((all, time) => all * (time[i] ?? 0), chance));
}
