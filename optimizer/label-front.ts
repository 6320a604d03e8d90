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
    group.sort((a, b) => a.price - b.price || b.accuracy - a.accuracy || (a.doneMs[0] ?? 0) - (b.doneMs[0] ?? 0));
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
  const from = kept.length;
  for (const label of group) {
    let isBeaten = false;
    for (let i = from; i < kept.length && !isBeaten; i++) {
      const other = kept[i];
      isBeaten = other !== undefined && isNoWorse(other, label);
    }
    if (!isBeaten) kept.push(label);
  }
}

function isNoWorse(a: Label, b: Label): boolean {
  if (a.accuracy < b.accuracy) return false;
  for (let i = 0; i < a.doneMs.length; i++) if ((a.doneMs[i] ?? 0) > (b.doneMs[i] ?? 0)) return false;
  for (let i = 0; i < a.uses.length; i++) if ((a.uses[i] ?? 0) > (b.uses[i] ?? 0)) return false;
  return true;
}
