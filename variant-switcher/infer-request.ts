import { VariscaleError } from "../domain/errors.ts";
import type { Datatype, StageContract, TensorContract } from "../domain/tensor.ts";
import { elementCount } from "../runtime/tensor-data.ts";
import { findSizeProblem, type RawTensor } from "./raw-tensor.ts";

const MAX_TIMEOUT_MS = 600_000;
const MAX_ID_CHARACTERS = 256;
const MAX_TENSORS = 64;

/** An Open Inference Protocol request that keeps the stage's contract, whatever transport it came by. */
export interface InferRequest {
  readonly id: string | null;
  readonly rows: number;
  /** In the order of the contract. */
  readonly inputs: readonly RawTensor[];
  /** Equal for requests that may share a batch: all dimensions but the first one. */
  readonly shapeKey: string;
  readonly outputs: readonly WantedOutput[];
  /** Null: the request does not say. */
  readonly timeoutMs: number | null;
  /** Milliseconds that are left of the pipeline's SLO; null: the request does not say. */
  readonly sloTimeoutMs: number | null;
  /** Triton's parameter `sequence_id`, as text; null: the request belongs to no sequence. */
  readonly sequence: string | null;
}

export interface WantedOutput {
  readonly name: string;
  readonly isBinary: boolean;
}

/** One input as a transport names it, before it is held against the contract. */
export interface GivenInput {
  readonly name: unknown;
  readonly datatype: unknown;
  readonly shape: unknown;
  /** The elements' bytes; is told what the contract says and how many elements the shape has. */
  readonly bytes: (name: string, datatype: Datatype, elements: number) => Uint8Array;
}

/** The inputs in the contract's order. Throws `invalid_argument` naming the first one that breaks the contract. */
export function checkInputs(
  contract: StageContract,
  given: readonly GivenInput[],
): Pick<InferRequest, "rows" | "inputs" | "shapeKey"> {
  if (given.length > MAX_TENSORS) throw invalid(`inputs must be at most ${MAX_TENSORS} tensors`);
  const found = new Map<string, RawTensor>();
  for (const input of given) {
    const name = String(input.name);
    const tensor = checkInput(contract, name, input);
    if (found.has(name)) throw invalid(`input "${name}" is given twice`);
    found.set(name, tensor);
  }
  const inputs = contract.inputs.map(({ name }) => {
    const tensor = found.get(name);
    if (!tensor) throw invalid(`input "${name}" is missing`);
    return tensor;
  });
  const rows = inputs[0]?.shape[0] ?? 0;
  for (const [i, input] of inputs.entries())
    if (input.shape[0] !== rows)
      throw invalid(`input "${contract.inputs[i]?.name}" has ${input.shape[0]} rows, the first one has ${rows}`);
  return { rows, inputs, shapeKey: inputs.map(input => input.shape.slice(1).join()).join(";") };
}

/** The outputs that are wanted, all of them where none is named. Throws `invalid_argument` for one that there is not. */
export function checkOutputs(contract: StageContract, wanted: readonly WantedOutput[]): void {
  if (wanted.length > MAX_TENSORS) throw invalid(`outputs must be at most ${MAX_TENSORS} tensors`);
  for (const { name } of wanted)
    if (!contract.outputs.some(known => known.name === name))
      throw invalid(`there is no output "${name}"; the outputs are ${contract.outputs.map(o => o.name).join(", ")}`);
  if (new Set(wanted.map(output => output.name)).size < wanted.length) throw invalid("an output is asked for twice");
}

export function checkId(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && value.length <= MAX_ID_CHARACTERS) return value;
  throw invalid(`id must be text of at most ${MAX_ID_CHARACTERS} characters`);
}

export function sequenceOf(value: unknown): string | null {
  if (value === undefined || value === null || value === 0 || value === "") return null;
  if (typeof value === "number" || (typeof value === "string" && value.length <= MAX_ID_CHARACTERS))
    return String(value);
  throw invalid(`parameters.sequence_id must be a number or text of at most ${MAX_ID_CHARACTERS} characters`);
}

/** A time limit in ms as a request gives it, in text or as a number; null: it gives none. */
export function timeoutOf(value: unknown, name: string): number | null {
  if (value === undefined || value === null) return null;
  const timeoutMs = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw invalid(`${name} is ${JSON.stringify(value)}, it must be a number of ms above 0 and up to ${MAX_TIMEOUT_MS}`);
  return timeoutMs;
}

/** Triton's request parameter `timeout`, in microseconds, 0 for none. */
export function tritonTimeoutOf(value: unknown): number | null {
  if (value === undefined || value === null || value === 0) return null;
  if (typeof value !== "number" || !(value > 0 && value <= MAX_TIMEOUT_MS * 1000))
    throw invalid(
      `parameters.timeout is ${JSON.stringify(value)}, it must be a number of microseconds up to ${MAX_TIMEOUT_MS * 1000}`,
    );
  return value / 1000;
}

/** The shortest of several time limits; null: there is none. */
export function shortest(...timeouts: readonly (number | null)[]): number | null {
  const given = timeouts.filter(timeout => timeout !== null);
  return given.length > 0 ? Math.min(...given) : null;
}

/** A name of the protocol as JSON has it: `batch_size` where its gRPC form says `batchSize`. */
export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

export function invalid(message: string): VariscaleError {
  return new VariscaleError("invalid_argument", message);
}

function checkInput(contract: StageContract, name: string, input: GivenInput): RawTensor {
  const wanted = contract.inputs.find(candidate => candidate.name === name);
  if (!wanted)
    throw invalid(
      `there is no input "${name}"; the inputs are ${contract.inputs.map(tensor => tensor.name).join(", ")}`,
    );
  const { datatype } = wanted;
  if (input.datatype !== datatype)
    throw invalid(`input "${name}" is ${JSON.stringify(input.datatype)}, it must be ${datatype}`);
  const shape = checkShape(input.shape, wanted);
  const elements = elementCount(shape);
  if (!Number.isSafeInteger(elements * 8)) throw invalid(`input "${name}": the shape [${shape}] is too large`);
  const tensor = { datatype, shape, bytes: input.bytes(name, datatype, elements) };
  checkElements(name, tensor);
  return tensor;
}

function checkShape(value: unknown, wanted: TensorContract): readonly number[] {
  const fits =
    Array.isArray(value) &&
    value.length === wanted.shape.length &&
    value.every(
      (dimension, i) =>
        Number.isSafeInteger(dimension) && dimension >= 1 && (wanted.shape[i] === -1 || dimension === wanted.shape[i]),
    );
  if (fits) return value as number[];
  const given = JSON.stringify(value)?.slice(0, 80) ?? "missing";
  throw invalid(`input "${wanted.name}": the shape is ${given}, it must be [${wanted.shape}] (-1: any, at least 1)`);
}

/** Throws `invalid_argument` unless the bytes are as many elements as the shape has, each a possible one. */
export function checkElements(name: string, tensor: RawTensor): void {
  const problem = findSizeProblem(tensor);
  if (problem !== null) throw invalid(`input "${name}" ${problem}`);
  const { datatype, bytes } = tensor;
  if (datatype === "BOOL" && bytes.some(byte => byte > 1)) throw invalid(`input "${name}": BOOL bytes must be 0 or 1`);
}
