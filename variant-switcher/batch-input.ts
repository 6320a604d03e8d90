import type { StageContract } from "../domain/tensor.ts";
import { bytesPerElement, elementCount } from "../runtime/tensor-data.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { type RawTensor, sliceRows } from "./raw-tensor.ts";
import type { TransferredTensor } from "./session-messages.ts";

/** Rows [from, to) of one request's inputs, which are in the contract's order. */
export interface RowRange {
  readonly inputs: readonly RawTensor[];
  readonly from: number;
  readonly to: number;
}

/** There was no memory for the batch. */
export interface Unassembled {
  readonly kind: "unassembled";
  readonly message: string;
}

/**
 * Copies the rows of several requests into one batch. All must have the same shapes but for the first dimension. Fails where there is no
 * memory for it.
 */
export function assembleBatch(
  contract: StageContract,
  ranges: readonly RowRange[],
  buffers: BufferPool,
): TransferredTensor[] | Unassembled {
  try {
    return copyRows(contract, ranges, buffers);
  } catch (error) {
    return { kind: "unassembled", message: `its batch can't be put together: ${String(error)}` };
  }
}

function copyRows(contract: StageContract, ranges: readonly RowRange[], buffers: BufferPool): TransferredTensor[] {
  const rows = ranges.reduce((sum, range) => sum + range.to - range.from, 0);
  return contract.inputs.flatMap(({ name }, index) => {
    const first = ranges[0]?.inputs[index];
    if (!first) return [];
    const parts = ranges.flatMap(({ inputs, from, to }) => (inputs[index] ? [sliceRows(inputs[index], from, to)] : []));
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const data = buffers.take(bytes);
    const target = new Uint8Array(data, 0, bytes);
    let at = 0;
    for (const part of parts) {
      target.set(part, at);
      at += part.length;
    }
    return [{ name, datatype: first.datatype, shape: [rows, ...first.shape.slice(1)], data, bytes }];
  });
}

/** A batch of zeros to warm a model with; null: the contract leaves a dimension open, so there is no shape to take. */
export function zeroBatch(contract: StageContract, rows: number): TransferredTensor[] | null {
  const batch: TransferredTensor[] = [];
  for (const { name, datatype, shape } of contract.inputs) {
    const inner = shape.slice(1);
    if (inner.includes(-1)) return null;
    // An empty element of BYTES is its length alone: four bytes of zero.
    const bytes = rows * elementCount(inner) * (datatype === "BYTES" ? 4 : bytesPerElement(datatype));
    batch.push({ name, datatype, shape: [rows, ...inner], data: new ArrayBuffer(bytes), bytes });
  }
  return batch;
}
