import type { Tensor } from "../domain/tensor.ts";
import type { Row } from "../gateway/stage.ts";

/** Sums in another order, and scales that quantised models take from a whole batch, make a difference; another row's outputs are far off. */
const TOLERANCE = 0.05;
/** Share of a tensor's elements that may be beyond that: the largest of two scores that are alike may be another one. */
const MOST_OFF = 0.05;

/** Whether a row's outputs are the same but for rounding, whether it was alone in its batch or not. */
export function sameRow(alone: Row, batched: Row): boolean {
  return Object.entries(alone).every(([name, tensor]) => {
    const other = batched[name];
    return other !== undefined && sameTensor(tensor, other);
  });
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.datatype !== b.datatype || a.data.length !== b.data.length) return false;
  // Carried as bits.
  if (a.datatype === "FP16" || a.datatype === "BF16") return true;
  const isFloat = a.datatype === "FP32" || a.datatype === "FP64";
  let largest = 0;
  for (const value of a.data) largest = Math.max(largest, Math.abs(Number(value)));
  const most = isFloat ? TOLERANCE * largest : 0;
  let off = 0;
  for (let i = 0; i < a.data.length; i++)
    if (!(Math.abs(Number(a.data[i]) - Number(b.data[i])) <= most) && !Object.is(a.data[i], b.data[i])) off += 1;
  return off <= MOST_OFF * a.data.length;
}
