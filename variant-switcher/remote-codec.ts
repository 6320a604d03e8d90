import { VariscaleError } from "../domain/errors.ts";
import { DATATYPES } from "../domain/tensor.ts";
import { elementCount } from "../runtime/tensor-data.ts";
import { parseExactJson } from "./exact-json.ts";
import { elementsFromJson, elementsToJson } from "./json-elements.ts";
import { findSizeProblem, type NamedTensor } from "./raw-tensor.ts";
import type { ModelTensor, TransferredTensor } from "./session-messages.ts";

/** A request body of the Open Inference Protocol's REST API. */
export interface RemoteBody {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Null: it is JSON and nothing else. */
  readonly headerBytes: number | null;
}

/**
 * `form` binary: with the binary tensor extension. A Triton takes the parameter `timeout`, in microseconds, as the longest that a request may wait
 * in its queue. Throws `invalid_argument` for what JSON has no form for.
 */
export function encodeRemoteRequest(
  inputs: readonly TransferredTensor[],
  outputs: readonly string[],
  form: "binary" | "json",
  timeoutMs: number,
): RemoteBody {
  const isBinary = form === "binary";
  const tensors = inputs.map(({ name, datatype, shape, data, bytes }) => {
    const head = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape}]`;
    if (isBinary) return `${head},"parameters":{"binary_data_size":${bytes}}}`;
    return `${head},"data":${elementsToJson(datatype, new Uint8Array(data, 0, bytes))}}`;
  });
  const wanted = outputs.map(name => JSON.stringify({ name, ...(isBinary && { parameters: { binary_data: true } }) }));
  const json = Buffer.from(
    `{"parameters":{"timeout":${1000 * timeoutMs}},"inputs":[${tensors}],"outputs":[${wanted}]}`,
  );
  const parts = isBinary ? inputs.map(({ data, bytes }) => new Uint8Array(data, 0, bytes)) : [];
  return { body: Buffer.concat([json, ...parts]), headerBytes: isBinary ? json.length : null };
}

/** The outputs of an answer, which is not trusted. Throws `internal` for what is none. */
export function decodeRemoteResponse(body: Buffer, headerBytes: number | null): readonly NamedTensor[] {
  if (headerBytes !== null && !(headerBytes >= 0 && headerBytes <= body.length))
    throw broken(`its header says ${headerBytes} bytes`);
  const text = body.subarray(0, headerBytes ?? body.length).toString("utf8");
  const { outputs } = objectOf(
    readPart(() => parseExactJson(text)),
    "the answer",
  );
  if (!Array.isArray(outputs)) throw broken("it has no outputs");
  let at = headerBytes ?? body.length;
  return outputs.map(value => {
    const output = objectOf(value, "an output");
    const name = String(output["name"]);
    const datatype = DATATYPES.find(known => known === output["datatype"]);
    const { shape } = output;
    if (!datatype || !isShape(shape)) throw broken(`the output "${name}" has no datatype or shape`);
    const size = objectOf(output["parameters"] ?? {}, "parameters")["binary_data_size"];
    if (size === undefined) {
      const read = () => elementsFromJson(name, datatype, output["data"], elementCount(shape));
      return { name, datatype, shape, bytes: readPart(read) };
    }
    const end = at + Number(size);
    if (!Number.isSafeInteger(end) || end < at || end > body.length) throw broken(`the output "${name}" is cut off`);
    const tensor = { name, datatype, shape, bytes: body.subarray(at, end) };
    at = end;
    const problem = readPart(() => findSizeProblem(tensor), `the output "${name}": `);
    if (problem !== null) throw broken(`the output "${name}" ${problem}`);
    return tensor;
  });
}

/** What a model's metadata says about its tensors; the servers leave out what they do not know. */
export function remoteTensors(value: unknown): readonly ModelTensor[] {
  if (!Array.isArray(value)) return [];
  return value.map(item => {
    const tensor = objectOf(item, "a tensor");
    const datatype = DATATYPES.find(known => known === tensor["datatype"]) ?? null;
    const { shape } = tensor;
    return {
      name: String(tensor["name"]),
      datatype,
      shape: Array.isArray(shape) ? shape.map(dimension => Number(dimension)) : [],
    };
  });
}

/** Reads a part of the answer: what is wrong with that breaks the protocol. `where` begins the message. */
function readPart<T>(read: () => T, where = ""): T {
  try {
    return read();
  } catch (error) {
    throw broken(`${where}${VariscaleError.from(error).message}`);
  }
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(dimension => Number.isSafeInteger(dimension) && dimension >= 0);
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw broken(`${what} is no JSON object`);
}

function broken(what: string): VariscaleError {
  return new VariscaleError("internal", `the remote server's answer breaks the protocol: ${what}`);
}
