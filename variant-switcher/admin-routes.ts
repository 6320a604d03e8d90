import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { showsToken } from "../runtime/bearer-token.ts";
import {
  errorResponse,
  type HttpRequest,
  type HttpRequestHead,
  type HttpResponse,
  type Route,
} from "../runtime/http-server.ts";
import { LOG_LEVELS } from "../runtime/logger.ts";
import { namesThisMachine } from "../runtime/loopback.ts";
import { ADMIN_LIMITS } from "./admin-limits.ts";
import { adminOpenApi } from "./admin-openapi.ts";
import type { SwitcherConfig } from "./config.ts";
import { ConfigValue } from "./config-value.ts";
import { parseJson } from "./exact-json.ts";
import type { ProfileHere } from "./profile-here.ts";
import { type StatusSources, switcherStatus } from "./status.ts";
import { createEtag, findAllowed, type SwitchingState } from "./switching/state.ts";

const { maxBatch, maxTtlMs, defaultTtlMs, maxProfileBatches, maxProfileSeconds } = ADMIN_LIMITS;

export interface AdminOptions extends StatusSources {
  readonly config: Pick<SwitcherConfig, "variants" | "adminToken" | "adminTlsFolder">;
  readonly profileHere: ProfileHere;
  /** Resolves when nothing is queued any more. */
  readonly drain: () => Promise<void>;
  readonly logger: Logger;
}

/** The admin endpoint: what is assigned, pinning, the variants' states and the last Switches. */
export function adminRoutes(options: AdminOptions): readonly Route[] {
  const routes: readonly Route[] = [
    { method: "GET", path: "/admin/v1/openapi.json", handle: () => ({ status: 200, body: adminOpenApi() }) },
    { method: "GET", path: "/admin/v1/assignment", handle: () => assignmentResponse(options) },
    { method: "PUT", path: "/admin/v1/assignment", handle: request => pin(options, request) },
    { method: "DELETE", path: "/admin/v1/assignment", handle: request => unpin(options, request) },
    { method: "GET", path: "/admin/v1/variants", handle: () => variantsResponse(options) },
    {
      method: "GET",
      path: "/admin/v1/switches",
      handle: () => ({ status: 200, body: { switches: options.switching.history.records() } }),
    },
    { method: "POST", path: "/admin/v1/drain", handle: () => drain(options) },
    { method: "GET", path: "/admin/v1/log-level", handle: () => logLevelResponse(options) },
    { method: "PUT", path: "/admin/v1/log-level", handle: request => setLogLevel(options, request) },
    { method: "POST", path: "/admin/v1/profile", handle: request => profile(options, request) },
  ];
  return routes.map(route => ({
    ...route,
    refuse: head => refusal(options.config, head),
  }));
}

function assignmentResponse(options: AdminOptions): HttpResponse {
  const { applied, variant, batch, ready, pin, residentVariants } = switcherStatus(options);
  return {
    status: 200,
    headers: { etag: createEtag(options.switching.state) },
    body: {
      assignment: options.switching.state.applied,
      pin,
      serving: { version: applied, variant, batch, ready, residentVariants, rungs: listRungs(options) },
    },
  };
}

/** The rungs that may serve: those that were decided on, but the old ones as long as what serves is none of these. */
function listRungs({ pool, switching }: AdminOptions) {
  const allowed = findAllowed(switching.state) ?? [];
  const served = switching.servedRungs ?? allowed;
  const rungs = allowed.some(({ variant }) => variant === served[0]?.variant) ? allowed : served;
  return rungs.map(rung => ({ ...rung, inMemory: pool.findSession(rung.variant) !== null }));
}

function variantsResponse(options: AdminOptions): HttpResponse {
  const { pool, switching } = options;
  const served = (switching.servedRungs ?? []).filter(({ variant }) => pool.findSession(variant) !== null);
  const serving = new Set(served.map(({ variant }) => variant));
  const variants = switcherStatus(options).variants.map(one => ({ ...one, serves: serving.has(one.variant) }));
  return { status: 200, body: { variants } };
}

async function pin(options: AdminOptions, request: HttpRequest): Promise<HttpResponse> {
  const mismatch = preconditionProblem(options.switching.state, request);
  if (mismatch) return mismatch;
  const body = readBody(request, "pin").object(["variant", "batch", "ttlMs"]);
  const variant = body.variant.oneOf(options.config.variants.map(({ name }) => name));
  const batch = body.batch.optional(value => value.integer(1, maxBatch), 1);
  const ttlMs = body.ttlMs.optional(value => value.number(1, maxTtlMs), defaultTtlMs);
  const outcome = await options.switching.ask({ kind: "pin", variant, batch, ttlMs });
  if (outcome.kind === "refused") {
    const status = outcome.code === "shutting_down" ? 503 : 409;
    return { status, body: { error: outcome.message, code: outcome.code } };
  }
  return assignmentResponse(options);
}

async function unpin(options: AdminOptions, request: HttpRequest): Promise<HttpResponse> {
  const mismatch = preconditionProblem(options.switching.state, request);
  if (mismatch) return mismatch;
  await options.switching.ask({ kind: "unpin" });
  return assignmentResponse(options);
}

async function drain(options: AdminOptions): Promise<HttpResponse> {
  options.logger.warn("draining: an operator has asked for it");
  await options.drain();
  return { status: 200, body: { drained: true } };
}

function logLevelResponse({ logger }: AdminOptions): HttpResponse {
  return { status: 200, body: { level: logger.level } };
}

function setLogLevel(options: AdminOptions, request: HttpRequest): HttpResponse {
  const body = readBody(request, "log level").object(["level"]);
  options.logger.level = body.level.oneOf(LOG_LEVELS);
  return logLevelResponse(options);
}

async function profile(options: AdminOptions, request: HttpRequest): Promise<HttpResponse> {
  const { variants } = options.config;
  const body = readBody(request, "profile").object(["variant", "batches", "seconds"]);
  const name = body.variant.oneOf(variants.map(variant => variant.name));
  const variant = variants.find(candidate => candidate.name === name);
  if (!variant) return body.variant.refuse("must be a variant of this stage");
  const batches = body.batches.optional(
    list => list.list(batch => batch.integer(1, maxBatch), 1, maxProfileBatches),
    [1],
  );
  const seconds = body.seconds.optional(value => value.number(0, maxProfileSeconds), 1);
  return { status: 200, body: await options.profileHere.measure({ variant, batches, seconds }, request.signal) };
}

/** What was read must be what is changed, so that two operators don't undo each other's work unseen. */
function preconditionProblem(state: SwitchingState, request: HttpRequest): HttpResponse | null {
  const etag = createEtag(state);
  const wanted = request.headers["if-match"];
  if (wanted === etag || wanted === "*") return null;
  if (wanted === undefined) {
    const error = "send the header If-Match with the ETag of GET /admin/v1/assignment, or with *";
    return { status: 428, body: { error, code: "failed_precondition" } };
  }
  const error = `If-Match is ${wanted}, but the assignment is at ${etag}. Read it again.`;
  return errorResponse(new VariscaleError("failed_precondition", error));
}

/**
 * Without a token and without mutual TLS the endpoint listens on the loopback interface only, and the Host header must say so too: a web
 * page that points its own name at 127.0.0.1 is refused. Without a token, so is one that lets a browser change something from another
 * site: a browser shows its certificate to whatever a page asks it for.
 */
function refusal(
  { adminToken: token, adminTlsFolder }: AdminOptions["config"],
  request: HttpRequestHead,
): HttpResponse | null {
  if (token === null) {
    const host = request.headers.host ?? "missing";
    if (adminTlsFolder === null && !namesThisMachine(host)) return forbidden(`Host must be localhost, not ${host}`);
    const site = `${adminTlsFolder === null ? "http" : "https"}://${host}`;
    return request.method === "GET" || request.method === "HEAD" ? null : crossSiteRefusal(site, request);
  }
  if (showsToken(request.headers.authorization, token)) return null;
  return {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    body: { error: "send the header Authorization: Bearer with the admin token" },
  };
}

/** Browsers say where a request comes from, and a page can't keep them from it; nothing else sends these headers. */
function crossSiteRefusal(own: string, { headers }: HttpRequestHead): HttpResponse | null {
  const site = headers["sec-fetch-site"] ?? "none";
  if (site !== "none" && site !== "same-origin")
    return forbidden(`Sec-Fetch-Site is ${site}: another site asks for it`);
  const { origin } = headers;
  if (origin !== undefined && origin !== own) return forbidden(`Origin is ${origin}: another site asks for it`);
  return null;
}

function forbidden(error: string): HttpResponse {
  return { status: 403, body: { error, code: "permission_denied" } };
}

function readBody({ body }: HttpRequest, subject: string): ConfigValue {
  return new ConfigValue(parseJson(body.toString("utf8"), "the body"), "", subject);
}
