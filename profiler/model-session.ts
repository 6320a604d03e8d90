import type { Datatype, Tensor } from "../domain/tensor.ts";
import type { Row } from "../gateway/stage.ts";
import { readNumbers } from "../runtime/tensor-data.ts";

/** Sums in another order, and scales that quantised models take from a whole batch, make a difference; another row's outputs are far off. */
const TOLERANCE = 0.05;
/** Share of a tensor's elements that may be beyond that: the largest of two scores that are alike may be another one. */
const MOST_OFF = 0.05;

const FLOATS: readonly Datatype[] = ["FP16", "BF16", "FP32", "FP64"];

/** A variant's session. One of a file runs on the thread that calls it. */
export interface ModelSession {
  /** Puts rows together into one batch, to be run again and again. */
  prepared(rows: readonly Row[]): () => Promise<unknown>;
  /** One output per row, in their order, run in batches of at most `batch` rows. */
  infer(rows: readonly Row[], batch: number): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/** Whether a row's outputs are the same but for rounding, whether it was alone in its batch or not. */
export function sameRow(alone: Row, batched: Row): boolean {
  return Object.entries(alone).every(([name, tensor]) => {
    const other = batched[name];
    return other !== undefined && sameTensor(tensor, other);
  });
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.datatype !== b.datatype || a.data.length !== b.data.length) return false;
  const [alone, batched] = [readNumbers(a.datatype, a.data), readNumbers(b.datatype, b.data)];
  const isFloat = FLOATS.includes(a.datatype);
  let largest = 0;
  for (const value of alone) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const most = isFloat ? TOLERANCE * largest : 0;
  let off = 0;
  for (let i = 0; i < alone.length; i++)
    if (!(Math.abs((alone[i] ?? 0) - (batched[i] ?? 0)) <= most) && !Object.is(alone[i], batched[i])) off += 1;
  return off <= MOST_OFF * alone.length;
}
