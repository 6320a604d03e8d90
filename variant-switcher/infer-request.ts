import { VariscaleError } from "../domain/errors.ts";
import type { StageContract, TensorContract } from "../domain/tensor.ts";
import { bytesPerElement, elementCount } from "../runtime/tensor-data.ts";
import { elementsFromJson } from "./json-elements.ts";
import { isFixedDatatype, type RawTensor } from "./raw-tensor.ts";

const MAX_TIMEOUT_MS = 600_000;
const MAX_ID_CHARACTERS = 256;

/** An Open Inference Protocol request that keeps the stage's contract. */
export interface InferRequest {
  readonly id: string | null;
  readonly rows: number;
  /** In the order of the contract. */
  readonly inputs: readonly RawTensor[];
  readonly shapeKey: string;
  readonly outputs: readonly { readonly name: string; readonly isBinary: boolean }[];
  /** Null: the request does not say. */
  readonly timeoutMs: number | null;
}

/**
 * Reads a request. `headerBytes`: the length of the JSON part where binary data follows it (the header
 * `Inference-Header-Content-Length`), else null. Throws `invalid_argument`, whatever the bytes are.
 */
export function parseInferRequest(body: Buffer, headerBytes: number | null, contract: StageContract): InferRequest {
  if (headerBytes !== null && !(headerBytes >= 0 && headerBytes <= body.length))
    throw invalid(`Inference-Header-Content-Length is ${headerBytes}, the body has ${body.length} bytes`);
  const json = parseJson(headerBytes === null ? body : body.subarray(0, headerBytes));
  const parameters = optionalObject(json["parameters"], "parameters");
  const binary = new BinaryPart(headerBytes === null ? null : body.subarray(headerBytes));
  const found = new Map<string, RawTensor>();
  for (const input of list(json["inputs"], "inputs")) {
    const { name, tensor } = parseInput(input, binary, contract);
    if (found.has(name)) throw invalid(`input "${name}" is given twice`);
    found.set(name, tensor);
  }
  binary.end();
  const inputs = contract.inputs.map(({ name }) => {
    const tensor = found.get(name);
    if (!tensor) throw invalid(`input "${name}" is missing`);
    return tensor;
  });
  const rows = inputs[0]?.shape[0] ?? 0;
  for (const [i, input] of inputs.entries())
    if (input.shape[0] !== rows)
      throw invalid(`input "${contract.inputs[i]?.name}" has ${input.shape[0]} rows, the first one has ${rows}`);
  return {
    id: idOf(json["id"]),
    rows,
    inputs,
    shapeKey: inputs.map(input => input.shape.slice(1).join()).join(";"),
    outputs: wantedOutputs(json["outputs"], parameters?.["binary_data_output"] === true, contract),
    timeoutMs: timeoutOf(parameters?.["timeout_ms"], "parameters.timeout_ms"),
  };
}

/** A time limit as a request gives it; null: it gives none. */
export function timeoutOf(value: unknown, name: string): number | null {
  if (value === undefined || value === null) return null;
  const timeoutMs = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw invalid(`${name} is ${JSON.stringify(value)}, it must be a number of ms above 0 and up to ${MAX_TIMEOUT_MS}`);
  return timeoutMs;
}

function parseInput(
  value: unknown,
  binary: BinaryPart,
  contract: StageContract,
): { readonly name: string; readonly tensor: RawTensor } {
  const input = optionalObject(value, "an input") ?? {};
  const name = String(input["name"]);
  const wanted = contract.inputs.find(candidate => candidate.name === name);
  if (!wanted)
    throw invalid(
      `there is no input "${name}"; the inputs are ${contract.inputs.map(tensor => tensor.name).join(", ")}`,
    );
  const { datatype } = wanted;
  if (!isFixedDatatype(datatype)) throw invalid(`input "${name}" is ${datatype}, which is not served`);
  if (input["datatype"] !== datatype)
    throw invalid(`input "${name}" is ${JSON.stringify(input["datatype"])}, it must be ${datatype}`);
  const shape = shapeOf(input["shape"], wanted);
  const elements = elementCount(shape);
  if (!Number.isSafeInteger(elements * 8)) throw invalid(`input "${name}": the shape [${shape}] is too large`);
  const size = optionalObject(input["parameters"], `parameters of "${name}"`)?.["binary_data_size"];
  if (size === undefined)
    return { name, tensor: { datatype, shape, bytes: elementsFromJson(name, datatype, input["data"], elements) } };
  const bytes = binary.take(name, size);
  if (bytes.length !== elements * bytesPerElement(datatype))
    throw invalid(
      `input "${name}" has ${bytes.length} bytes, ${datatype} of the shape [${shape}] has ${elements * bytesPerElement(datatype)}`,
    );
  if (datatype === "BOOL" && bytes.some(byte => byte > 1)) throw invalid(`input "${name}": BOOL bytes must be 0 or 1`);
  return { name, tensor: { datatype, shape, bytes } };
}

function shapeOf(value: unknown, wanted: TensorContract): readonly number[] {
  const fits =
    Array.isArray(value) &&
    value.length === wanted.shape.length &&
    value.every(
      (dimension, i) => Number.isSafeInteger(dimension) && dimension >= 1 && fitsInto(dimension, wanted.shape[i]),
    );
  if (fits) return value as number[];
  const given = JSON.stringify(value)?.slice(0, 80) ?? "missing";
  throw invalid(`input "${wanted.name}": the shape is ${given}, it must be [${wanted.shape}] (-1: any, at least 1)`);
}

function fitsInto(dimension: number, wanted: number | undefined): boolean {
  return wanted === -1 || dimension === wanted;
}

function wantedOutputs(value: unknown, allBinary: boolean, contract: StageContract): InferRequest["outputs"] {
  if (value === undefined || value === null)
    return contract.outputs.map(({ name, datatype }) => ({ name, isBinary: allBinary || datatype === "FP16" }));
  const wanted = list(value, "outputs").map(item => {
    const output = optionalObject(item, "an output") ?? {};
    const name = String(output["name"]);
    const known = contract.outputs.find(candidate => candidate.name === name);
    if (!known)
      throw invalid(`there is no output "${name}"; the outputs are ${contract.outputs.map(o => o.name).join(", ")}`);
    const isBinary = optionalObject(output["parameters"], `parameters of "${name}"`)?.["binary_data"] ?? allBinary;
    if (isBinary !== true && known.datatype === "FP16")
      throw invalid(
        `output "${name}" is FP16, which has no JSON form; ask for it with the parameter binary_data: true`,
      );
    return { name, isBinary: isBinary === true };
  });
  if (new Set(wanted.map(output => output.name)).size < wanted.length) throw invalid("an output is asked for twice");
  return wanted.length > 0 ? wanted : wantedOutputs(undefined, allBinary, contract);
}

function parseJson(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw invalid(`the request is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const object = optionalObject(value, "the request");
  if (!object) throw invalid("the request must be a JSON object");
  return object;
}

function idOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && value.length <= MAX_ID_CHARACTERS) return value;
  throw invalid(`id must be text of at most ${MAX_ID_CHARACTERS} characters`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= 64) return value;
  throw invalid(`${name} must be an array of at most 64 tensors`);
}

function optionalObject(value: unknown, name: string): Record<string, unknown> | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(`${name} must be a JSON object`);
}

function invalid(message: string): VariscaleError {
  return new VariscaleError("invalid_argument", message);
}

/** What follows the JSON part: the inputs' bytes one after the other, in the order in which the inputs are listed. */
class BinaryPart {
  readonly #bytes: Buffer | null;
  #at = 0;

  constructor(bytes: Buffer | null) {
    this.#bytes = bytes;
  }

  take(name: string, size: unknown): Uint8Array {
    if (this.#bytes === null)
      throw invalid(`input "${name}" has a binary_data_size, but there is no header Inference-Header-Content-Length`);
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw invalid(`input "${name}": binary_data_size must be a number of bytes`);
    const end = this.#at + size;
    if (end > this.#bytes.length)
      throw invalid(`input "${name}" ends ${end - this.#bytes.length} bytes after the end of the body`);
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  end(): void {
    const rest = (this.#bytes?.length ?? 0) - this.#at;
    if (rest > 0) throw invalid(`${rest} bytes after the last input belong to none`);
  }
}
