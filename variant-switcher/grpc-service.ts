import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import type { TensorContract } from "../domain/tensor.ts";
import type { ModelInferRequest__Output } from "../proto/generated/inference/ModelInferRequest.ts";
import type { ModelInferResponse } from "../proto/generated/inference/ModelInferResponse.ts";
import type { ModelRepositoryParameter__Output } from "../proto/generated/inference/ModelRepositoryParameter.ts";
import type { ModelStatistics } from "../proto/generated/inference/ModelStatistics.ts";
import type { RepositoryModelLoadRequest__Output } from "../proto/generated/inference/RepositoryModelLoadRequest.ts";
import { grpcStatusOf } from "../runtime/error-status.ts";
import { type DataPlane, formatShares, readCaller, type Served } from "./data-plane.ts";
import { parseGrpcRequest } from "./grpc-request.ts";
import type { InferRequest } from "./infer-request.ts";
import { type LoadParameters, loadParameters } from "./repository.ts";
import { contentsOf } from "./typed-contents.ts";

/** Told to clients that retry by themselves. */
const RETRY_PUSHBACK_MS = "1000";
const MAX_DETAILS = 1000;
const LEAST_TIMEOUT_MS = 0.001;

type Call<Request> = ServerUnaryCall<Request, unknown>;

interface Named {
  readonly name: string;
  readonly version: string;
}

/** The gRPC API of the Open Inference Protocol V2: the same as restRoutes(), in another form. */
export function grpcService(plane: DataPlane, logger: Logger): UntypedServiceImplementation {
  const answer = <Request, Response>(
    handle: (request: Request, call: Call<Request>) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response> => {
    return (call, callback) => {
      void respond(() => handle(call.request, call), callback, logger);
    };
  };
  const checked = <Response>(handle: (version: string) => Response) =>
    answer<Named, Response>(({ name, version }) => {
      plane.checkModel(name, version);
      return handle(version);
    });
  return {
    ServerLive: answer(() => ({ live: true })),
    ServerReady: answer(() => ({ ready: plane.isReady })),
    ModelReady: checked(version => ({ ready: plane.isModelReady(version) })),
    ServerMetadata: answer(() => plane.serverMetadata()),
    ModelMetadata: checked(() => {
      const { inputs, outputs, ...metadata } = plane.modelMetadata();
      return { ...metadata, inputs: inputs.map(copyOf), outputs: outputs.map(copyOf) };
    }),
    ModelInfer: answer<ModelInferRequest__Output, ModelInferResponse>((message, call) => infer(plane, message, call)),
    ModelStatistics: answer<Named, { modelStats: readonly ModelStatistics[] }>(({ name, version }) => {
      if (name !== "") plane.checkModel(name, version);
      return { modelStats: plane.statistics(name === "" ? "" : version) };
    }),
    RepositoryIndex: answer<{ readonly ready: boolean }, object>(({ ready }) => ({
      models: plane.repository.index(ready ? "ready" : "all"),
    })),
    RepositoryModelLoad: answer<RepositoryModelLoadRequest__Output, object>(async ({ modelName, parameters }) => {
      await plane.repository.load(modelName, parametersOf(parameters));
      return {};
    }),
    RepositoryModelUnload: answer<RepositoryModelLoadRequest__Output, object>(async ({ modelName, parameters }) => {
      await plane.repository.unload(modelName, parametersOf(parameters));
      return {};
    }),
  };
}

async function infer(
  plane: DataPlane,
  message: ModelInferRequest__Output,
  call: Call<ModelInferRequest__Output>,
): Promise<ModelInferResponse> {
  const arrivedMs = performance.now();
  plane.checkModel(message.modelName, message.modelVersion);
  const request = parseGrpcRequest(message, plane.contract);
  const served = await plane.infer(request, message.modelVersion, {
    transport: "grpc",
    caller: readCaller(name => call.metadata.get(name)[0]),
    arrivedMs,
    timeoutMs: readTimeLeft(call),
    onGone: callback => call.once("cancelled", callback),
  });
  return responseOf(plane.stage, request, served);
}

/** Returns what is left of the client's deadline, or null where it set none. */
function readTimeLeft(call: Call<unknown>): number | null {
  const ms = Number(call.getDeadline()) - Date.now();
  return Number.isFinite(ms) ? Math.max(LEAST_TIMEOUT_MS, ms) : null;
}

function responseOf(
  stage: string,
  request: InferRequest,
  { variant, why, shares, queuedRows, rowMs, isEmulated, outputs }: Served,
): ModelInferResponse {
  const wanted = request.outputs.flatMap(({ name }) => outputs.find(output => output.name === name) ?? []);
  const isRaw = request.outputs.some(({ isBinary }) => isBinary);
  const rungs = formatShares(shares);
  return {
    modelName: stage,
    modelVersion: variant,
    id: request.id ?? "",
    parameters: {
      variant: { stringParam: variant },
      why: { stringParam: why },
      ...(rungs !== null && { rungs: { stringParam: rungs } }),
      queued_rows: { int64Param: queuedRows },
      row_ms: { doubleParam: rowMs },
      ...(isEmulated && { emulated: { boolParam: true } }),
    },
    outputs: wanted.map(({ name, datatype, shape, bytes }) => ({
      name,
      datatype,
      shape: [...shape],
      ...(!isRaw && { contents: contentsOf(datatype, bytes) }),
    })),
    rawOutputContents: isRaw ? wanted.map(({ bytes }) => bytes) : [],
  };
}

async function respond<Response>(
  handle: () => Response | Promise<Response>,
  callback: sendUnaryData<Response>,
  logger: Logger,
): Promise<void> {
  try {
    callback(null, await handle());
  } catch (thrown) {
    const error = VariscaleError.from(thrown);
    if (error.code === "internal") logger.error({ err: thrown }, "call failed");
    const metadata = new Metadata();
    if (error.code === "resource_exhausted") metadata.set("grpc-retry-pushback-ms", RETRY_PUSHBACK_MS);
    // Halves of surrogate pairs can't be encoded in the header that carries it.
    const details = error.message.slice(0, MAX_DETAILS).replaceAll(/\p{Surrogate}/gu, "\uFFFD");
    callback({ code: grpcStatusOf(error.code), details, metadata });
  }
}

function parametersOf(parameters: Readonly<Record<string, ModelRepositoryParameter__Output>>): LoadParameters {
  const values = Object.entries(parameters).map(([name, parameter]) => [
    name,
    parameter.parameterChoice ? parameter[parameter.parameterChoice] : undefined,
  ]);
  return loadParameters(Object.fromEntries(values));
}

function copyOf({ name, datatype, shape }: TensorContract) {
  return { name, datatype, shape: [...shape] };
}
