import type { StageContract } from "../domain/tensor.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import { sliceRows } from "./raw-tensor.ts";
import { outputMismatch } from "./verify-contract.ts";

/** A batch's outputs for each request, whose rows follow each other; text: what is wrong with the outputs. */
export function splitOutputs(
  contract: StageContract,
  outputs: readonly NamedTensor[],
  counts: readonly number[],
): (readonly NamedTensor[])[] | string {
  const rows = counts.reduce((sum, count) => sum + count, 0);
  const mismatch = outputMismatch(contract, outputs, rows);
  if (mismatch !== null) return mismatch;
  if (counts.length === 1) return [outputs];
  let at = 0;
  return counts.map(count => {
    const from = at;
    at += count;
    return outputs.map(output => ({
      name: output.name,
      datatype: output.datatype,
      shape: [count, ...output.shape.slice(1)],
      bytes: sliceRows(output, from, at),
    }));
  });
}

/** Puts the outputs of a request that was spread over several batches together again; null: their shapes differ. */
export function joinPieces(pieces: readonly (readonly NamedTensor[])[]): readonly NamedTensor[] | null {
  const first = pieces[0] ?? [];
  if (pieces.length === 1) return first;
  const innerShape = (tensor: NamedTensor): string => tensor.shape.slice(1).join();
  if (pieces.some(piece => piece.some((tensor, i) => !first[i] || innerShape(tensor) !== innerShape(first[i]))))
    return null;
  return first.map((output, i) => {
    const parts = pieces.flatMap(piece => piece[i] ?? []);
    const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
    return { ...output, shape: [rows, ...output.shape.slice(1)], bytes: Buffer.concat(parts.map(part => part.bytes)) };
  });
}
