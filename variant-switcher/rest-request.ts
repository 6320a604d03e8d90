import type { StageContract } from "../domain/tensor.ts";
import { longInteger, parseExactJson } from "./exact-json.ts";
import {
  checkId,
  checkInputs,
  checkOutputs,
  type GivenInput,
  type InferRequest,
  invalid,
  sequenceOf,
  shortest,
  timeoutOf,
  tritonTimeoutOf,
  type WantedOutput,
} from "./infer-request.ts";
import { elementsFromJson, hasJsonForm } from "./json-elements.ts";

/**
 * Reads a request of the REST API. `headerBytes`: the length of the JSON part where binary data follows it (the header
 * `Inference-Header-Content-Length`), else null. Throws `invalid_argument`, whatever the bytes are.
 */
export function parseRestRequest(body: Buffer, headerBytes: number | null, contract: StageContract): InferRequest {
  if (headerBytes !== null && !(headerBytes >= 0 && headerBytes <= body.length))
    throw invalid(`Inference-Header-Content-Length is ${headerBytes}, the body has ${body.length} bytes`);
  const text = (headerBytes === null ? body : body.subarray(0, headerBytes)).toString("utf8");
  const json = requireObject(parseExactJson(text), "the request");
  const parameters = optionalObject(json["parameters"], "parameters");
  const binary = new BinaryPart(headerBytes === null ? null : body.subarray(headerBytes));
  const inputs = checkInputs(
    contract,
    list(json["inputs"], "inputs").map(input => givenInput(input, binary)),
  );
  binary.end();
  return {
    id: checkId(json["id"]),
    outputs: wantedOutputs(json["outputs"], parameters?.["binary_data_output"] === true, contract),
    sequence: sequenceOf(longInteger(parameters?.["sequence_id"]) ?? parameters?.["sequence_id"]),
    timeoutMs: shortest(
      timeoutOf(parameters?.["timeout_ms"], "parameters.timeout_ms"),
      tritonTimeoutOf(parameters?.["timeout"]),
    ),
    sloTimeoutMs: timeoutOf(parameters?.["slo_timeout_ms"], "parameters.slo_timeout_ms"),
    // Last: see CONTRIBUTING.md.
    ...inputs,
  };
}

function givenInput(value: unknown, binary: BinaryPart): GivenInput {
  const input = optionalObject(value, "an input") ?? {};
  const size = optionalObject(input["parameters"], "an input's parameters")?.["binary_data_size"];
  return {
    name: input["name"],
    datatype: input["datatype"],
    shape: Array.isArray(input["shape"]) ? input["shape"].map(dimensionOf) : input["shape"],
    bytes: (name, datatype, elements) =>
      size === undefined ? elementsFromJson(name, datatype, input["data"], elements) : binary.take(name, size),
  };
}

/** A dimension that is as large as to be kept in digits is refused later, as a number. */
function dimensionOf(value: unknown): unknown {
  const digits = longInteger(value);
  return digits === null ? value : Number(digits);
}

function wantedOutputs(value: unknown, allBinary: boolean, contract: StageContract): readonly WantedOutput[] {
  const given = value === undefined || value === null ? [] : list(value, "outputs");
  if (given.length === 0)
    return contract.outputs.map(({ name, datatype }) => ({ name, isBinary: allBinary || !hasJsonForm(datatype) }));
  const wanted = given.map(item => {
    const output = optionalObject(item, "an output") ?? {};
    const isBinary = optionalObject(output["parameters"], "an output's parameters")?.["binary_data"] ?? allBinary;
    return { name: String(output["name"]), isBinary: isBinary === true };
  });
  checkOutputs(contract, wanted);
  for (const { name, isBinary } of wanted) {
    const datatype = contract.outputs.find(known => known.name === name)?.datatype;
    if (!isBinary && datatype && !hasJsonForm(datatype))
      throw invalid(`output "${name}" is ${datatype}, which has no JSON form; ask for it with binary_data: true`);
  }
  return wanted;
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${name} must be an array of tensors`);
}

export function optionalObject(value: unknown, name: string): Record<string, unknown> | null {
  return value === undefined || value === null ? null : requireObject(value, name);
}

export function requireObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(`${name} must be a JSON object`);
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
