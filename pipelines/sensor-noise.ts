import type { Random } from "./random.ts";

/** Adds sensor noise of this standard deviation: drawn from a table, a million normal deviates would take longer than the rest. */
export function addNoise(data: Float32Array, random: Random, deviation: number): void {
  const table = NORMAL_TABLE;
  let index = random.integer(0, table.length - 1);
  let stride = 1;
  for (let at = 0; at < data.length; at++) {
    if (at % 997 === 0) {
      index = random.integer(0, table.length - 1);
      stride = 2 * random.integer(0, 400) + 1;
    }
    index = (index + stride) & (table.length - 1);
    data[at] = (data[at] ?? 0) + deviation * (table[index] ?? 0);
  }
}

/** 65536 standard normal deviates (the inverse of the logistic approximation would have wrong tails: Box-Muller). */
const NORMAL_TABLE = makeNormalTable(1 << 16);

function makeNormalTable(size: number): Float32Array {
  const table = new Float32Array(size);
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 0) + 0.5) / 4294967296;
  };
  for (let i = 0; i < size; i++) table[i] = Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  return table;
}
