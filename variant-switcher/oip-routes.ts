import { VariscaleError } from "../domain/errors.ts";
import { packageVersion } from "../runtime/version.ts";
import type { Batcher } from "./batcher.ts";
import type { SwitcherConfig } from "./config.ts";
import type { DropReason } from "./counters.ts";
import type { DataRequest, DataResponse, DataRoutes } from "./data-server.ts";
import { parseInferRequest, timeoutOf } from "./infer-request.ts";
import { encodeInferResponse } from "./infer-response.ts";

const DEFAULT_TIMEOUT_MS = 30_000;

export interface OipOptions {
  readonly config: Pick<SwitcherConfig, "stage" | "contract" | "variants" | "queue">;
  readonly batcher: Batcher;
  readonly isReady: () => boolean;
}

/** The REST API of the Open Inference Protocol V2 with the binary tensor extension. The stage is the model. */
export function oipRoutes(options: OipOptions): DataRoutes {
  const { config } = options;
  const model = `/v2/models/${encodeURIComponent(config.stage)}`;
  const served = (): string | null => options.batcher.serving?.session.variant ?? null;
  const gets: Record<string, () => DataResponse> = {
    "/v2": () => ({
      status: 200,
      json: { name: "variscale-switcher", version: packageVersion, extensions: ["binary_tensor_data"] },
    }),
    "/v2/health/live": () => ({ status: 200, json: { live: true } }),
    "/v2/health/ready": () => ready({ ready: options.isReady() }),
    [model]: () => ({ status: 200, json: metadata(config) }),
    [`${model}/ready`]: () => ready({ name: config.stage, ready: options.isReady() }),
  };
  for (const { name } of config.variants) {
    const version = `${model}/versions/${encodeURIComponent(name)}`;
    gets[version] = () => ({ status: 200, json: metadata(config) });
    gets[`${version}/ready`] = () => ready({ name: config.stage, ready: options.isReady() && served() === name });
  }
  const posts = new Map<string, (request: DataRequest) => Promise<DataResponse>>();
  posts.set(`${model}/infer`, request => infer(options, null, request));
  for (const { name } of config.variants)
    posts.set(`${model}/versions/${encodeURIComponent(name)}/infer`, request => infer(options, name, request));
  return {
    get: path => (Object.hasOwn(gets, path) ? (gets[path]?.() ?? null) : null),
    post: path => posts.get(path) ?? null,
  };
}

async function infer(options: OipOptions, variant: string | null, request: DataRequest): Promise<DataResponse> {
  const { config, batcher } = options;
  const arrivedMs = performance.now();
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new VariscaleError(
      "invalid_argument",
      `Content-Encoding ${encoding} is not supported; send the body as it is`,
    );
  const parsed = parseInferRequest(request.body, headerLength(request.headers), config.contract);
  if (parsed.rows > config.queue.maxRows)
    throw new VariscaleError(
      "invalid_argument",
      `${parsed.rows} rows in one request, at most ${config.queue.maxRows} can be served`,
    );
  const timeoutMs =
    parsed.timeoutMs ??
    timeoutOf(request.headers["x-request-timeout-ms"], "x-request-timeout-ms") ??
    DEFAULT_TIMEOUT_MS;
  const { rows, inputs, shapeKey } = parsed;
  const ticket = batcher.submit({ rows, inputs, shapeKey, variant, deadlineMs: arrivedMs + timeoutMs });
  request.onGone(() => ticket.cancel());
  const result = await ticket.result;
  if (result.kind === "dropped") throw new VariscaleError(CODE_OF_DROP[result.reason], result.message);
  const response = encodeInferResponse(config.stage, result.variant, parsed, result.outputs);
  return {
    status: 200,
    headers: {
      "content-type": response.contentType,
      ...(response.headerBytes !== null && { "inference-header-content-length": response.headerBytes }),
    },
    parts: response.parts,
  };
}

const CODE_OF_DROP = {
  queue_full: "resource_exhausted",
  deadline: "deadline_exceeded",
  cancelled: "aborted",
  not_ready: "unavailable",
  wrong_variant: "aborted",
  model_failed: "invalid_argument",
  session_lost: "unavailable",
} as const satisfies Record<DropReason, string>;

function headerLength(headers: DataRequest["headers"]): number | null {
  const value = headers["inference-header-content-length"];
  if (value === undefined) return null;
  const bytes = Number(value);
  if (typeof value === "string" && value.trim() !== "" && Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw new VariscaleError(
    "invalid_argument",
    `Inference-Header-Content-Length is ${value}, it must be a number of bytes`,
  );
}

function ready(state: { readonly name?: string; readonly ready: boolean }): DataResponse {
  return { status: state.ready ? 200 : 503, json: state };
}

function metadata(config: OipOptions["config"]): unknown {
  return {
    name: config.stage,
    versions: config.variants.map(({ name }) => name),
    platform: "onnxruntime_onnx",
    inputs: config.contract.inputs,
    outputs: config.contract.outputs,
  };
}
