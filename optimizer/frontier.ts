import type { Scope } from "./scope.ts";
import { envelopeOf, type Option, type OptionList } from "./stage-options.ts";
import { NOTHING, sumsFromEnd, type Totals } from "./totals.ts";
import { type Cumulative, entriesFor, sumOf } from "./wait-distribution.ts";

/**
 * Upper bounds on what the last stages of a pipeline can do together, by what they take from the objective: entry k bounds the
 * latency distribution of all choices whose price is at least `least.price` + k · `priceStep`, and below the next entry's
 * where there is one. Null: there is no such choice.
 */
export interface Frontier {
  readonly least: Totals;
  readonly envelopes: readonly (Cumulative | null)[];
}

export interface Frontiers {
  readonly priceStep: number;
  /** Entries of a distribution that are needed. */
  readonly entries: number;
  /** Distributions that were added to one another. */
  readonly sums: number;
  /** Entry i: the stages from i on; one entry more than there are stages, whose latency is always 0. */
  readonly stages: readonly Frontier[];
}

/** Steps that the prices of one stage's options are cut into, and most entries of a frontier. */
const STAGE_STEPS = 5;
const MOST_ENTRIES = 16;

/** `room`: nothing is of interest that takes this much more than the least. */
export function frontiersOf(scope: Scope, lists: readonly OptionList[], room: number): Frontiers {
  const least = sumsFromEnd(lists.map(list => list.least));
  const entries = entriesFor(scope.stepMs, scope.sloMs - (least[0]?.constantMs ?? 0));
  const spread = Math.max(0, ...lists.map(list => (list.options.at(-1)?.price ?? 0) - list.least.price));
  const priceStep = Math.max(Math.min(spread, room) / STAGE_STEPS, Number.MIN_VALUE);
  let next: Frontier = { least: NOTHING, envelopes: [null] };
  const stages = [next];
  let sums = 0;
  for (let index = lists.length - 1; index >= 0; index--) {
    const list = lists[index];
    if (!list) continue;
    const own = bucketsOf(scope, list, priceStep, room);
    const isLast = index + 1 === lists.length;
    if (!isLast) sums += own.length * next.envelopes.length;
    const envelopes = isLast ? own : joined(own, next.envelopes, entries, Math.floor(room / priceStep));
    next = { least: least[index] ?? NOTHING, envelopes };
    stages.push(next);
  }
  return { priceStep, entries, sums, stages: stages.reverse() };
}

function bucketsOf(scope: Scope, list: OptionList, priceStep: number, room: number): (Cumulative | null)[] {
  const buckets: Option[][] = [];
  for (const option of list.options) {
    const above = option.price - list.least.price;
    if (above > room) break;
    const bucket = Math.min(MOST_ENTRIES - 1, Math.floor(above / priceStep));
    while (buckets.length <= bucket) buckets.push([]);
    buckets[bucket]?.push(option);
  }
  return buckets.map(options => (options.length > 0 ? envelopeOf(scope, options, list.least.constantMs) : null));
}

function joined(
  own: readonly (Cumulative | null)[],
  next: readonly (Cumulative | null)[],
  entries: number,
  lastOfInterest: number,
): (Cumulative | null)[] {
  const length = Math.min(MOST_ENTRIES, own.length + next.length - 1, lastOfInterest + 1);
  const envelopes: (Cumulative | null)[] = new Array(Math.max(1, length)).fill(null);
  for (const [i, mine] of own.entries()) {
    for (const [k, theirs] of next.entries()) {
      if (!mine || !theirs || i + k > lastOfInterest) continue;
      const both = sumOf(mine, theirs, entries);
      const at = Math.min(i + k, envelopes.length - 1);
      const known = envelopes[at];
      envelopes[at] = known && both ? both.map((chance, j) => Math.max(chance, known[j] ?? 0)) : both;
    }
  }
  return envelopes;
}
