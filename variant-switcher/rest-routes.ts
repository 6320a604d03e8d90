import { type DataPlane, readCaller } from "./data-plane.ts";
import type { DataResponse } from "./data-response.ts";
import type { DataRequest, DataRoutes, PostRoute } from "./data-routes.ts";
import { parseExactJson } from "./exact-json.ts";
import { invalid, timeoutOf, toSnakeCase } from "./infer-request.ts";
import { inflateBody } from "./inflate-body.ts";
import { type LoadParameters, loadParameters } from "./repository.ts";
import type { RequestLimits } from "./request-limits.ts";
import { RestReader } from "./rest-reader.ts";
import { optionalObject, requireObject } from "./rest-request.ts";
import { encodeRestResponse } from "./rest-response.ts";

/** Requests to the repository name a variant at most. */
const MAX_REPOSITORY_BODY_BYTES = 64 * 1024;

/** The REST API of the Open Inference Protocol V2, with binary tensors, the model repository and statistics. */
export function restRoutes(plane: DataPlane, limits: RequestLimits): DataRoutes {
  const model = `/v2/models/${encodeURIComponent(plane.stage)}`;
  const versions = ["", ...plane.variants];
  const pathOf = (version: string): string =>
    version === "" ? model : `${model}/versions/${encodeURIComponent(version)}`;
  const answerStatistics = (version: string) => ok({ model_stats: renameForRest(plane.statistics(version)) });
  const gets = new Map<string, () => DataResponse>([
    ["/v2", () => ok(plane.serverMetadata())],
    ["/v2/health/live", () => ok({ live: true })],
    ["/v2/health/ready", () => ready({ ready: plane.isReady })],
    ["/v2/models/stats", () => answerStatistics("")],
  ]);
  const repository = (handle: (request: DataRequest) => Promise<unknown>): PostRoute => ({
    handle: async request => ok(await handle(request)),
    maxBodyBytes: MAX_REPOSITORY_BODY_BYTES,
  });
  const modelPath = `/v2/repository/models/${encodeURIComponent(plane.stage)}`;
  const change = (run: (parameters: LoadParameters) => Promise<void>): PostRoute =>
    repository(async request => {
      plane.repository.checkControl();
      await run(loadParameters(parametersOf(request)));
      return {};
    });
  const posts = new Map<string, PostRoute>([
    ["/v2/repository/index", repository(async request => repositoryIndex(plane, request))],
    [`${modelPath}/load`, change(parameters => plane.repository.load(plane.stage, parameters))],
    [`${modelPath}/unload`, change(parameters => plane.repository.unload(plane.stage, parameters))],
  ]);
  const reader = new RestReader(plane.contract, () => limits.maxParsedBytes);
  const { maxRequestBytes: maxBodyBytes } = limits;
  const inferPaths = new Set<string>();
  for (const version of versions) {
    const path = pathOf(version);
    gets.set(path, () => ok(plane.modelMetadata()));
    gets.set(`${path}/ready`, () => ready({ name: plane.stage, ready: plane.isModelReady(version) }));
    gets.set(`${path}/stats`, () => answerStatistics(version));
    inferPaths.add(`${path}/infer`);
    posts.set(`${path}/infer`, {
      handle: request => infer(plane, reader, version, request, limits),
      maxBodyBytes,
    });
  }
  return {
    get: path => gets.get(path)?.() ?? null,
    post: path => posts.get(path) ?? null,
    refused: (path, headers, { message }) => {
      if (inferPaths.has(path)) plane.refuseUnread(headers["x-request-id"], message);
    },
  };
}

async function infer(
  plane: DataPlane,
  reader: RestReader,
  version: string,
  request: DataRequest,
  limits: RequestLimits,
): Promise<DataResponse> {
  const arrivedMs = performance.now();
  const encoding = request.headers["content-encoding"];
  const isPlain = (encoding ?? "identity") === "identity";
  const body = isPlain ? request.body : await inflate(request, encoding, limits);
  const jsonBytes = headerLength(request.headers);
  const turn = reader.findTurn(jsonBytes ?? body.length);
  if (turn !== null) await turn;
  const parsed = reader.read(body, jsonBytes, request.charge);
  const timeoutMs = timeoutOf(request.headers["x-request-timeout-ms"], "x-request-timeout-ms");
  const served = await plane.infer(parsed, version, {
    transport: "rest",
    caller: readCaller(name => request.headers[name]),
    arrivedMs,
    timeoutMs,
    onGone: request.onGone,
  });
  const response = encodeRestResponse(plane.stage, parsed, served);
  const headers: Record<string, string | number> = { "content-type": response.contentType };
  if (response.headerBytes !== null) headers["inference-header-content-length"] = response.headerBytes;
  return { status: 200, headers, parts: response.parts };
}

/** A request that is alone finds room for its body as it came, for what is inflated, and for a copy of that while its pieces are joined. */
function inflate({ body, charge }: DataRequest, encoding: string | undefined, limits: RequestLimits): Promise<Buffer> {
  const { maxParsedBytes, maxRequestBytes } = limits;
  const maxBytes = Math.max(0, Math.min(maxRequestBytes, Math.floor((maxParsedBytes - body.length) / 2)));
  return inflateBody(body, encoding, maxBytes, charge);
}

function headerLength(headers: DataRequest["headers"]): number | null {
  const value = headers["inference-header-content-length"];
  if (value === undefined) return null;
  const bytes = Number(value);
  if (typeof value === "string" && value.trim() !== "" && Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw invalid(`Inference-Header-Content-Length is ${value}, it must be a number of bytes`);
}

function repositoryIndex(plane: DataPlane, request: DataRequest): unknown {
  const { ready: onlyReady } = objectOf(request.body);
  if (onlyReady !== undefined && typeof onlyReady !== "boolean") throw invalid("ready must be true or false");
  return plane.repository.index(onlyReady === true ? "ready" : "all");
}

function parametersOf(request: DataRequest): Record<string, unknown> {
  return optionalObject(objectOf(request.body)["parameters"], "parameters") ?? {};
}

/** An empty body is an empty object. */
function objectOf(body: Buffer): Record<string, unknown> {
  return body.length === 0 ? {} : requireObject(parseExactJson(body.toString("utf8")), "the request");
}

/** The same value with the names of REST: `batch_size` where gRPC says `batchSize`. */
function renameForRest(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renameForRest);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [toSnakeCase(name), renameForRest(inner)]));
}

function ok(json: unknown): DataResponse {
  return { status: 200, json };
}

function ready(state: { readonly name?: string; readonly ready: boolean }): DataResponse {
  return { status: state.ready ? 200 : 503, json: state };
}
