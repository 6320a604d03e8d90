import { VariscaleError } from "../domain/errors.ts";
import type { Variant } from "../domain/pipeline.ts";
import type { StageContract, Tensor, TensorContract } from "../domain/tensor.ts";
import { bytesOf, bytesPerElement, carries, elementCount, elementsOf } from "../runtime/tensor-data.ts";
import { type RowsByVariant, readRungs } from "./rows-by-variant.ts";
import type { Row } from "./stage.ts";

/** An infer request of the Open Inference Protocol with the binary tensor extension. */
export interface EncodedRequest {
  /** Value of `Inference-Header-Content-Length`. */
  readonly headerBytes: number;
  /** To be sent one after the other; tensors are not copied. */
  readonly parts: readonly Uint8Array[];
}

export interface DecodedResponse {
  /** `model_version`: the variant that served the rows, or most of them. */
  readonly version: string;
  readonly rowsByVariant: RowsByVariant;
  /** Rows that waited there as it answered, whoever sent them; null: it does not say. */
  readonly queuedRows: number | null;
  /** Milliseconds that the replica takes for a row lately; null: it does not say. */
  readonly rowMs: number | null;
  readonly outputs: readonly Row[];
}

/** Larger hints are wrong ones. */
const MOST_QUEUED_ROWS = 1e6;
const MOST_ROW_MS = 1e6;

/** Puts rows together into one batch. Rows must have passed `checkRows`. */
export function encodeInferRequest(
  contract: StageContract,
  rows: readonly Row[],
  options: { readonly id: string; readonly timeoutMs: number; readonly sloTimeoutMs: number },
): EncodedRequest {
  const parts: Uint8Array[] = [];
  const inputs = contract.inputs.map(input => {
    let bytes = 0;
    for (const row of rows) {
      const tensor = row[input.name];
      if (!tensor) continue;
      bytes += tensor.data.byteLength;
      parts.push(bytesOf(tensor.data));
    }
    const shape = [rows.length, ...(rows[0]?.[input.name]?.shape ?? [])];
    return { name: input.name, datatype: input.datatype, shape, parameters: { binary_data_size: bytes } };
  });
  const outputs = contract.outputs.map(output => ({ name: output.name, parameters: { binary_data: true } }));
  const timeoutMs = Math.max(1, Math.floor(options.timeoutMs));
  const sloTimeoutMs = Math.min(timeoutMs, Math.max(1, Math.floor(options.sloTimeoutMs)));
  const parameters = { timeout_ms: timeoutMs, slo_timeout_ms: sloTimeoutMs };
  const header = Buffer.from(JSON.stringify({ id: options.id, parameters, inputs, outputs }));
  return { headerBytes: header.byteLength, parts: [header, ...parts] };
}

/**
 * Takes a batch of outputs apart into rows. The answer is not trusted: whatever breaks the contract is an error.
 *
 * @param headerLength value of `Inference-Header-Content-Length`; undefined: the whole body is JSON.
 * @throws internal when the answer is not what the contract says.
 */
export function decodeInferResponse(
  { contract, variants }: { readonly contract: StageContract; readonly variants: readonly Pick<Variant, "name">[] },
  rows: number,
  body: Uint8Array,
  headerLength: string | undefined,
): DecodedResponse {
  const headerBytes = headerLength === undefined ? body.byteLength : Number(headerLength);
  if (!Number.isInteger(headerBytes) || headerBytes < 0 || headerBytes > body.byteLength)
    throw broken(`Inference-Header-Content-Length is \`${headerLength}\` for ${body.byteLength} bytes`);
  const header = parseHeader(body.subarray(0, headerBytes));
  const tensors = new Map<string, Tensor>();
  let offset = headerBytes;
  for (const output of header.outputs) {
    const size = output.parameters?.["binary_data_size"];
    const expected = contract.outputs.find(candidate => candidate.name === output.name);
    if (
      size !== undefined &&
      (!Number.isInteger(size) || (size as number) < 0 || offset + (size as number) > body.length)
    )
      throw broken(`output \`${output.name}\` says that it has ${String(size)} bytes`);
    const bytes = size === undefined ? null : body.subarray(offset, offset + (size as number));
    offset += bytes?.byteLength ?? 0;
    if (expected) tensors.set(expected.name, toTensor(expected, output, bytes, rows));
  }
  for (const output of contract.outputs)
    if (!tensors.has(output.name)) throw broken(`output \`${output.name}\` is missing`);
  const outputs = Array.from({ length: rows }, (_, index) => rowOf(tensors, index));
  const { version, parameters } = header;
  const names = variants.map(({ name }) => name);
  const rowsByVariant = readRungs(parameters["rungs"], rows, names) ?? new Map([[version, rows]]);
  const queuedRows = readHint(parameters["queued_rows"], MOST_QUEUED_ROWS);
  return { version, rowsByVariant, queuedRows, rowMs: readHint(parameters["row_ms"], MOST_ROW_MS) || null, outputs };
}

/** @throws internal, naming stage, row and tensor, when a row made by the pipeline's code breaks the contract. */
export function checkRows(stage: string, contract: StageContract, rows: readonly Row[]): void {
  rows.forEach((row, index) => {
    for (const input of contract.inputs) {
      const tensor = row?.[input.name];
      const problem = tensor === undefined ? "is missing" : problemOf(input, tensor, rows[0]?.[input.name]);
      if (problem !== null)
        throw new VariscaleError(
          "internal",
          `the code of stage \`${stage}\` made a wrong row ${index}: tensor \`${input.name}\` ${problem}. Make it as the stage's contract says.`,
        );
    }
  });
}

/** @throws internal, naming stage and tensor, when the output that the pipeline's code made of votes breaks the contract. */
export function checkOutputs(stage: string, contract: StageContract, row: Row | undefined): void {
  for (const output of contract.outputs) {
    const tensor = row?.[output.name];
    const problem = tensor === undefined ? "is missing" : problemOf(output, tensor, tensor);
    if (problem !== null)
      throw new VariscaleError(
        "internal",
        `\`vote\` of stage \`${stage}\` made a wrong output: tensor \`${output.name}\` ${problem}. Make it as the stage's contract says.`,
      );
  }
}

function problemOf(contract: TensorContract, tensor: Tensor, first: Tensor | undefined): string | null {
  if (tensor.datatype !== contract.datatype) return `is ${tensor.datatype}, must be ${contract.datatype}`;
  if (!carries(contract.datatype, tensor.data)) return `has data that can't carry ${contract.datatype}`;
  const wanted = contract.shape.slice(1);
  const fits =
    Array.isArray(tensor.shape) &&
    tensor.shape.length === wanted.length &&
    wanted.every((dimension, i) => dimension === -1 || dimension === tensor.shape[i]);
  if (!fits) return `has shape [${String(tensor.shape)}], must be [${wanted}]`;
  if (tensor.shape.some((dimension, i) => dimension !== first?.shape[i])) return "has another shape than row 0";
  if (tensor.data.length !== elementCount(tensor.shape))
    return `has ${tensor.data.length} elements for shape [${tensor.shape}]`;
  return null;
}

interface ResponseHeader {
  readonly version: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: readonly ResponseOutput[];
}

interface ResponseOutput {
  readonly name: string;
  readonly datatype?: unknown;
  readonly shape?: unknown;
  readonly data?: unknown;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

function parseHeader(bytes: Uint8Array): ResponseHeader {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch (error) {
    throw broken("its header is not JSON", error);
  }
  const { model_version: version, parameters, outputs } = (header ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(outputs) || !outputs.every(output => typeof output?.name === "string"))
    throw broken("its header has no list of outputs");
  return {
    version: typeof version === "string" ? version : "",
    parameters: (parameters ?? {}) as ResponseHeader["parameters"],
    outputs,
  };
}

/** Null for what is no possible number: answers are good without hints. */
function readHint(value: unknown, most: number): number | null {
  return typeof value === "number" && value >= 0 && value <= most ? value : null;
}

function toTensor(contract: TensorContract, output: ResponseOutput, bytes: Uint8Array | null, rows: number): Tensor {
  const { datatype, shape } = output;
  const name = `output \`${contract.name}\``;
  if (datatype !== contract.datatype) throw broken(`${name} is ${String(datatype)}, must be ${contract.datatype}`);
  if (!isShape(shape) || shape.length !== contract.shape.length || shape[0] !== rows)
    throw broken(`${name} has shape [${String(shape)}] for ${rows} rows of [${contract.shape}]`);
  if (!contract.shape.every((dimension, i) => dimension === -1 || dimension === shape[i]))
    throw broken(`${name} has shape [${shape}], must be [${contract.shape}]`);
  const expectedBytes = elementCount(shape) * bytesPerElement(contract.datatype);
  if (bytes === null) throw broken(`${name} has no binary data`);
  if (bytes.byteLength !== expectedBytes)
    throw broken(`${name} has ${bytes.byteLength} bytes, must have ${expectedBytes}`);
  return { datatype: contract.datatype, shape, data: elementsOf(contract.datatype, bytes) };
}

function isShape(shape: unknown): shape is number[] {
  return Array.isArray(shape) && shape.every(dimension => Number.isSafeInteger(dimension) && dimension >= 0);
}

function rowOf(tensors: ReadonlyMap<string, Tensor>, index: number): Row {
  const row: Record<string, Tensor> = {};
  for (const [name, tensor] of tensors) {
    const shape = tensor.shape.slice(1);
    const length = elementCount(shape);
    row[name] = { datatype: tensor.datatype, shape, data: tensor.data.subarray(index * length, (index + 1) * length) };
  }
  return row;
}

function broken(what: string, cause?: unknown): VariscaleError {
  return new VariscaleError("internal", `a replica's answer breaks the protocol: ${what}`, { cause });
}
