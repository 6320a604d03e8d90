import type { StageContract, TensorContract } from "../domain/tensor.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { Loaded, ModelTensor } from "./session-messages.ts";

/**
 * What a model's inputs and outputs have against the stage's contract; null: nothing. The model may leave a dimension open
 * that the contract fixes, never the other way round. Outputs that the contract does not name are not computed.
 */
export function contractMismatch(contract: StageContract, model: Pick<Loaded, "inputs" | "outputs">): string | null {
  for (const input of model.inputs)
    if (!contract.inputs.some(wanted => wanted.name === input.name))
      return `the model needs an input "${input.name}" that the contract does not have`;
  return (
    firstMismatch("input", contract.inputs, model.inputs) ?? firstMismatch("output", contract.outputs, model.outputs)
  );
}

/** What a model's real outputs for `rows` rows have against the contract; null: nothing. */
export function outputMismatch(contract: StageContract, outputs: readonly NamedTensor[], rows: number): string | null {
  for (const wanted of contract.outputs) {
    const output = outputs.find(candidate => candidate.name === wanted.name);
    if (!output) return `the output "${wanted.name}" is missing`;
    if (output.datatype !== wanted.datatype)
      return `the output "${wanted.name}" is ${output.datatype}, not ${wanted.datatype}`;
    const fits =
      output.shape.length === wanted.shape.length &&
      output.shape.every((dimension, i) => (i === 0 ? dimension === rows : fitsInto(dimension, wanted.shape[i])));
    if (!fits)
      return `the output "${wanted.name}" has the shape [${output.shape}] for ${rows} rows, the contract says [${wanted.shape}]`;
  }
  return null;
}

function firstMismatch(
  edge: "input" | "output",
  wanted: readonly TensorContract[],
  found: readonly ModelTensor[],
): string | null {
  for (const tensor of wanted) {
    const candidate = found.find(({ name }) => name === tensor.name);
    const problem = candidate ? tensorMismatch(tensor, candidate) : "is missing";
    if (problem !== null) return `the ${edge} "${tensor.name}" ${problem}`;
  }
  return null;
}

function tensorMismatch(wanted: TensorContract, found: ModelTensor): string | null {
  if (found.datatype !== wanted.datatype)
    return `is ${found.datatype ?? "of another type"}, the contract says ${wanted.datatype}`;
  const fits =
    found.shape.length === wanted.shape.length &&
    found.shape.every((dimension, i) => dimension === -1 || dimension === wanted.shape[i]);
  if (fits) return null;
  const batch = found.shape[0] === -1 ? "" : " (the first dimension, the batch, must be left open)";
  return `has the shape [${found.shape}], the contract says [${wanted.shape}]${batch}`;
}

function fitsInto(dimension: number, wanted: number | undefined): boolean {
  return wanted === -1 || dimension === wanted;
}
