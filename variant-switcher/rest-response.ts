import { formatShares, type Served } from "./data-plane.ts";
import type { InferRequest } from "./infer-request.ts";
import { elementsToJson } from "./json-elements.ts";

/** Names of the configuration as JSON: few, and the same in every answer. */
const QUOTED = new Map<string, string>();

export interface EncodedResponse {
  readonly contentType: string;
  /** Length of the JSON part where binary data follows it. */
  readonly headerBytes: number | null;
  /** One after the other they are the body. */
  readonly parts: readonly (Uint8Array | string)[];
}

/** An Open Inference Protocol response; the variant is the model's version and a parameter as well, beside the replica's load. */
export function encodeRestResponse(
  stage: string,
  request: Pick<InferRequest, "id" | "outputs">,
  { variant, why, shares, queuedRows, rowMs, isEmulated, outputs }: Served,
): EncodedResponse {
  const binary: Uint8Array[] = [];
  const tensors = request.outputs.flatMap(({ name, isBinary }) => {
    const tensor = outputs.find(output => output.name === name);
    if (!tensor) return [];
    const head = `{"name":${quoted(name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape}]`;
    if (!isBinary) return [`${head},"data":${elementsToJson(tensor.datatype, tensor.bytes)}}`];
    binary.push(tensor.bytes);
    return [`${head},"parameters":{"binary_data_size":${tensor.bytes.length}}}`];
  });
  const name = quoted(variant);
  const rungs = formatShares(shares);
  const mixed = rungs === null ? "" : `,"rungs":${JSON.stringify(rungs)}`;
  const load = `,"queued_rows":${queuedRows},"row_ms":${rowMs.toFixed(3)}`;
  const id = request.id === null ? "" : `"id":${JSON.stringify(request.id)},`;
  const json = `{"model_name":${quoted(stage)},"model_version":${name},${id}"parameters":{"variant":${name},"why":"${why}"${mixed}${load}${isEmulated ? ',"emulated":true' : ""}},"outputs":[${tensors.join()}]}`;
  const isBinary = binary.length > 0;
  return {
    contentType: isBinary ? "application/octet-stream" : "application/json",
    headerBytes: isBinary ? Buffer.byteLength(json) : null,
    parts: [json, ...binary],
  };
}

function quoted(name: string): string {
  const known = QUOTED.get(name);
  if (known !== undefined) return known;
  const json = JSON.stringify(name);
  QUOTED.set(name, json);
  return json;
}
