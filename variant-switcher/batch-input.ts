import type { StageContract } from "../domain/tensor.ts";
import type { BufferPool } from "../runtime/http/buffer-pool.ts";
import { bytesPerElement, elementCount } from "../runtime/tensor-data.ts";
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
  let rows = 0;
  for (const { from, to } of ranges) rows += to - from;
  const batch: TransferredTensor[] = [];
  for (const [index, { name }] of contract.inputs.entries()) {
    const first = ranges[0]?.inputs[index];
    if (!first) continue;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (const { inputs, from, to } of ranges) {
      const input = inputs[index];
      if (!input) continue;
      const part = sliceRows(input, from, to);
      parts.push(part);
      bytes += part.length;
    }
    const data = buffers.take(bytes);
    const target = new Uint8Array(data, 0, bytes);
    let at = 0;
    for (const part of parts) {
      target.set(part, at);
      at += part.length;
    }
    batch.push({ name, datatype: first.datatype, shape: [rows, ...first.shape.slice(1)], data, bytes });
  }
  return batch;
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
