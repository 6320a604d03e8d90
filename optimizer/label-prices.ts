import { type Bound, type BoundFrame, boundAt, mostFrom, type Prices, paidFor } from "./label-bound.ts";
import type { LabelOption, LabelProblem } from "./label-problem.ts";

/** A choice that is best at some prices; whether it keeps the limits is for the caller to see. */
export interface Relaxed {
  readonly bound: Bound;
  /** Upper bound on the objective. */
  readonly value: number;
  readonly options: readonly LabelOption[];
  /** Latency by path shares. */
  readonly latencyMs: number;
  readonly uses: readonly number[];
  readonly accuracy: number;
}

const DOUBLINGS = 60;
const HALVINGS = 10;
const ROUNDS = 2;
/** A price is close enough when it changes the bound by no more than this share of itself. */
const CLOSE = 1e-7;

/**
 * Prices at which the Lagrangian bound is about as low as it gets: limit by limit, the price at which the best choice just keeps
 * it (the bound is convex in the prices). Calls `seen` with every choice on the way.
 */
export function findPrices(frame: BoundFrame, seen: (relaxed: Relaxed) => void): Relaxed {
  const { problem } = frame;
  const relax = (prices: Prices): Relaxed => {
    const relaxed = relaxAt(frame, prices);
    seen(relaxed);
    return relaxed;
  };
  let best = relax({ latency: 0, uses: problem.limits.map(() => 0), accuracy: 0 });
  const knobs = knobsOf(problem);
  for (let round = 0; round < ROUNDS; round++) {
    const before = best.value;
    for (const knob of knobs) best = turn(knob, best, relax);
    if (knobs.length < 2 || before - best.value <= CLOSE * Math.abs(before)) break;
  }
  return best;
}

/** One limit: its price, and by how much a choice exceeds it. */
interface Knob {
  readonly set: (prices: Prices, price: number) => Prices;
  readonly get: (prices: Prices) => number;
  readonly excess: (relaxed: Relaxed) => number;
  /** A price to start from. */
  readonly unit: number;
}

function knobsOf(problem: LabelProblem): Knob[] {
  const { latencyMs, limits, minAccuracy, worth } = problem;
  const knobs: Knob[] = [];
  const scale = Math.max(1e-9, worth);
  if (Number.isFinite(latencyMs))
    knobs.push({
      set: (prices, latency) => ({ ...prices, latency }),
      get: prices => prices.latency,
      excess: relaxed => relaxed.latencyMs - latencyMs,
      unit: scale / Math.max(1e-9, latencyMs),
    });
  for (const [r, limit] of limits.entries())
    if (Number.isFinite(limit))
      knobs.push({
        set: (prices, price) => ({ ...prices, uses: prices.uses.with(r, price) }),
        get: prices => prices.uses[r] ?? 0,
        excess: relaxed => (relaxed.uses[r] ?? 0) - limit,
        unit: scale / Math.max(1e-9, limit),
      });
  if (minAccuracy > Number.NEGATIVE_INFINITY)
    knobs.push({
      set: (prices, accuracy) => ({ ...prices, accuracy }),
      get: prices => prices.accuracy,
      excess: relaxed => minAccuracy - relaxed.accuracy,
      unit: scale,
    });
  return knobs;
}

function turn(knob: Knob, given: Relaxed, relax: (prices: Prices) => Relaxed): Relaxed {
  const at = (price: number) => relax(knob.set(given.bound.prices, price));
  let best = given;
  const keep = (relaxed: Relaxed) => {
    if (relaxed.value < best.value) best = relaxed;
    return relaxed;
  };
  let low = 0;
  const free = knob.get(given.bound.prices) === 0 ? given : keep(at(0));
  if (knob.excess(free) <= 0) return best;
  let high = knob.unit;
  let dear = keep(at(high));
  for (let i = 0; i < DOUBLINGS && knob.excess(dear) > 0; i++) {
    low = high;
    high *= 4;
    dear = keep(at(high));
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = low === 0 ? high / 8 : (low + high) / 2;
    const relaxed = keep(at(middle));
    const excess = knob.excess(relaxed);
    if (excess > 0) low = middle;
    else high = middle;
    if (high - low <= 0.01 * high || Math.abs(excess) * (high - low) <= CLOSE * Math.abs(best.value)) break;
  }
  return best;
}

function relaxAt(frame: BoundFrame, prices: Prices): Relaxed {
  const { problem, loose } = frame;
  const bound = boundAt(frame, prices);
  const options: LabelOption[] = [];
  let accuracy = problem.start;
  let latencyMs = 0;
  const uses = problem.limits.map(() => 0);
  for (const [k, stage] of loose.entries()) {
    let most = Number.NEGATIVE_INFINITY;
    let chosen: LabelOption | undefined;
    for (const option of stage.options) {
      const value =
        mostFrom(bound, k + 1, option.slope * accuracy + option.offset) - paidFor(option, stage.pathShare, prices);
      if (value > most) {
        most = value;
        chosen = option;
      }
    }
    if (!chosen) break;
    options.push(chosen);
    accuracy = chosen.slope * accuracy + chosen.offset;
    latencyMs += stage.pathShare * chosen.latencyMs;
    for (const [r, used] of chosen.uses.entries()) uses[r] = (uses[r] ?? 0) + used;
  }
  return { bound, value: mostFrom(bound, 0, problem.start) + bound.constant, options, latencyMs, uses, accuracy };
}
