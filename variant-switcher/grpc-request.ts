import type { StageContract } from "../domain/tensor.ts";
import type { InferParameter__Output } from "../proto/generated/inference/InferParameter.ts";
import type { ModelInferRequest__Output } from "../proto/generated/inference/ModelInferRequest.ts";
import {
  checkId,
  checkInputs,
  checkOutputs,
  type InferRequest,
  invalid,
  sequenceOf,
  shortest,
  timeoutOf,
  tritonTimeoutOf,
} from "./infer-request.ts";
import { hasJsonForm } from "./json-elements.ts";
import { bytesOfContents } from "./typed-contents.ts";

/**
 * Reads a gRPC request. Whoever sends raw contents gets raw contents, as Triton's clients expect it; half-precision numbers have no
 * other form. Throws `invalid_argument`.
 */
export function parseGrpcRequest(message: ModelInferRequest__Output, contract: StageContract): InferRequest {
  const { inputs, rawInputContents: raw, parameters } = message;
  const isRaw = raw.length > 0;
  if (isRaw && raw.length !== inputs.length)
    throw invalid(`raw_input_contents has ${raw.length} entries for ${inputs.length} inputs`);
  const checked = checkInputs(
    contract,
    inputs.map(({ name, datatype, shape, contents }, i) => ({
      name,
      datatype,
      shape: shape.map(Number),
      bytes: (_name, known, elements) => {
        if (!isRaw) return bytesOfContents(name, known, contents, elements);
        if (contents) throw invalid(`input "${name}" has contents beside raw_input_contents`);
        return raw[i] ?? new Uint8Array();
      },
    })),
  );
  const names = message.outputs.map(({ name }) => name);
  const wanted = names.length > 0 ? names : contract.outputs.map(({ name }) => name);
  const known = wanted.map(name => contract.outputs.find(output => output.name === name));
  const isBinary = isRaw || known.some(output => output && !hasJsonForm(output.datatype));
  const outputs = wanted.map(name => ({ name, isBinary }));
  checkOutputs(contract, outputs);
  return {
    id: message.id === "" ? null : checkId(message.id),
    outputs,
    sequence: sequenceOf(parameterOf(parameters["sequence_id"])),
    timeoutMs: shortest(
      timeoutOf(parameterOf(parameters["timeout_ms"]), "parameters.timeout_ms"),
      tritonTimeoutOf(parameterOf(parameters["timeout"])),
    ),
    sloTimeoutMs: timeoutOf(parameterOf(parameters["slo_timeout_ms"]), "parameters.slo_timeout_ms"),
    // Last: see CONTRIBUTING.md.
    ...checked,
  };
}

function parameterOf(parameter: InferParameter__Output | undefined): unknown {
  switch (parameter?.parameterChoice) {
    case "int64Param":
      return Number(parameter.int64Param);
    case "uint64Param":
      return Number(parameter.uint64Param);
    case "doubleParam":
      return parameter.doubleParam;
    case "stringParam":
      return parameter.stringParam;
    case "boolParam":
      return parameter.boolParam;
    default:
      return undefined;
  }
}
