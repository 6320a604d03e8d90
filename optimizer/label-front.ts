import { beatenOf } from "./dominance.ts";
import type { Label } from "./label.ts";

export interface FrontShape {
  /** Labels have at most one time that others wait for. */
  readonly isChain: boolean;
  /** Limited resources. */
  readonly uses: number;
}

/** Labels that no other one with the same key is at least as good as in price, accuracy, times and uses. */
export function undominated(labels: readonly Label[], shape: FrontShape): Label[] {
  const groups = new Map<string, Label[]>();
  for (const label of labels) {
    const group = groups.get(label.key);
    if (group) group.push(label);
    else groups.set(label.key, [label]);
  }
  const kept: Label[] = [];
  for (const group of groups.values()) {
    group.sort(inOrder);
    if (shape.isChain && shape.uses === 0) keepStairs(group, kept);
    else keepFront(group, kept);
  }
  return kept;
}

/** Beside the price, by which the group is ordered, only one time and the accuracy count: the front is a staircase. */
function keepStairs(group: readonly Label[], kept: Label[]): void {
  const times: number[] = [];
  const accuracies: number[] = [];
  for (const label of group) {
    const ms = label.doneMs[0] ?? 0;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && (accuracies[low - 1] ?? 0) >= label.accuracy) continue;
    let end = low;
    while (end < times.length && (accuracies[end] ?? 0) <= label.accuracy) end++;
    times.splice(low, end - low, ms);
    accuracies.splice(low, end - low, label.accuracy);
    kept.push(label);
  }
}

function keepFront(group: readonly Label[], kept: Label[]): void {
  const length = 2 + (group[0]?.doneMs.length ?? 0) + (group[0]?.uses.length ?? 0);
  const values = new Float64Array(group.length * length);
  for (const [i, { price, accuracy, doneMs, uses }] of group.entries()) {
    let at = i * length;
    values[at++] = price;
    values[at++] = -accuracy;
    for (const ms of doneMs) values[at++] = ms;
    for (const used of uses) values[at++] = used;
  }
  const beaten = beatenOf({ values, length });
  for (const [i, label] of group.entries()) if (!beaten[i]) kept.push(label);
}

/** Lexicographic: no label is as good as one before it, unless they are equal. */
function inOrder(a: Label, b: Label): number {
  return (
    a.price - b.price ||
    b.accuracy - a.accuracy ||
    firstDifference(a.doneMs, b.doneMs) ||
    firstDifference(a.uses, b.uses)
  );
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const difference = value - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
