import type { Datatype, Tensor, TensorData } from "../domain/tensor.ts";
import type { Row } from "../gateway/stage.ts";

/** Sums in another order, and scales that quantised models take from a whole batch, make a difference; another row's outputs are far off. */
const TOLERANCE = 0.05;
/** Share of a tensor's elements that may be beyond that: the largest of two scores that are alike may be another one. */
const MOST_OFF = 0.05;

const FLOATS: readonly Datatype[] = ["FP16", "BF16", "FP32", "FP64"];

/** Those that are carried as bits. */
const VALUES: Readonly<Partial<Record<Datatype, (bits: TensorData) => readonly number[]>>> = {
  FP16: bits => Array.from(bits as Uint16Array, one => readHalf(one)),
  BF16: bits => Array.from(bits as Uint16Array, one => readBrain(one)),
};

/** Whether a row's outputs are the same but for rounding, whether it was alone in its batch or not. */
export function sameRow(alone: Row, batched: Row): boolean {
  return Object.entries(alone).every(([name, tensor]) => {
    const other = batched[name];
    return other !== undefined && sameTensor(tensor, other);
  });
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.datatype !== b.datatype || a.data.length !== b.data.length) return false;
  const valuesOf = VALUES[a.datatype] ?? (data => data);
  const [alone, batched] = [valuesOf(a.data), valuesOf(b.data)];
  const isFloat = FLOATS.includes(a.datatype);
  let largest = 0;
  for (const value of alone) if (Number.isFinite(Number(value))) largest = Math.max(largest, Math.abs(Number(value)));
  const most = isFloat ? TOLERANCE * largest : 0;
  let off = 0;
  for (let i = 0; i < alone.length; i++)
    if (!(Math.abs(Number(alone[i]) - Number(batched[i])) <= most) && !Object.is(alone[i], batched[i])) off += 1;
  return off <= MOST_OFF * alone.length;
}

/** Gives the number that 16 bits of IEEE 754 binary16 are: sign, 5 of exponent, 10 of fraction. */
function readHalf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 2 ** 10) * 2 ** (exponent - 15);
}

/** Gives the number that 16 bits of bfloat16 are: the upper half of an IEEE 754 binary32. */
function readBrain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
