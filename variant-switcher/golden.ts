import { elementsOf, readNumbers } from "../runtime/tensor-data.ts";
import type { NamedTensor, RawTensor } from "./raw-tensor.ts";

/** Inputs with known outputs of one variant: what a model must reproduce before it serves. */
export interface GoldenCase {
  readonly variant: string;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
  /** Largest difference of one element, absolute or relative to the expected value. */
  readonly tolerance: number;
}

/** How far outputs are from what is expected; null: close enough. */
export function goldenMismatch(golden: GoldenCase, outputs: readonly NamedTensor[]): string | null {
  for (const expected of golden.outputs) {
    const actual = outputs.find(output => output.name === expected.name);
    if (!actual || actual.datatype !== expected.datatype || actual.bytes.length !== expected.bytes.length)
      return `the output "${expected.name}" has another type or shape than the golden output`;
    if (expected.datatype === "BYTES") {
      if (Buffer.compare(actual.bytes, expected.bytes) === 0) continue;
      return `the output "${expected.name}" has other text than the golden output`;
    }
    const a = toNumbers(actual);
    const e = toNumbers(expected);
    for (let i = 0; i < e.length; i++) {
      const wanted = e[i] ?? 0;
      const found = a[i] ?? 0;
      if (Object.is(wanted, found)) continue;
      if (!(Math.abs(found - wanted) <= golden.tolerance * Math.max(1, Math.abs(wanted))))
        return `element ${i} of the output "${expected.name}" is ${found}, the golden output says ${wanted}`;
    }
  }
  return null;
}

function toNumbers({ datatype, bytes }: RawTensor): Float64Array {
  return readNumbers(datatype, elementsOf(datatype, bytes));
}
