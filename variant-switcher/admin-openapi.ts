import { LOG_LEVELS } from "../runtime/logger.ts";
import { packageVersion } from "../runtime/version.ts";
import { ADMIN_LIMITS } from "./admin-limits.ts";

const number = { type: "number" };
const text = { type: "string" };
const integer = { type: "integer" };
const boolean = { type: "boolean" };
const object = (properties: object) => ({ type: "object", properties });
const strictObject = (required: string, properties: object) => ({
  ...object(properties),
  additionalProperties: false,
  required: [required],
});
const orNull = (description: string, properties: object) => ({ description, type: ["object", "null"], properties });
const list = (items: object) => ({ type: "array", items });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object) => ({ content: { "application/json": { schema } } });
const error = (description: string) => ({ description, ...json(ref("Error")) });
const REFUSED = {
  401: error("There is an adminToken, and the request does not have it"),
  403: error(
    "There is none, and Host is not the loopback interface (without mutual TLS), or a browser asks for a change from another site",
  ),
};
const ok = (description: string, schema: object) => ({ 200: { description, ...json(schema) }, ...REFUSED });
const IF_MATCH = {
  name: "If-Match",
  in: "header",
  required: true,
  schema: text,
  description: "The ETag of GET /admin/v1/assignment, or `*`",
};
const CHANGED = {
  400: error("The body is not what it must be"),
  409: error("The variant can't be served; what served before serves on. `code` is a nack code"),
  412: error("The assignment has changed since it was read"),
  428: error("If-Match is missing"),
};

/** What the admin endpoint understands and answers, as OpenAPI 3.1. */
export function adminOpenApi(): object {
  return {
    openapi: "3.1.0",
    info: { title: "variscale variant-switcher: admin endpoint", version: packageVersion },
    security: [{}, { token: [] }],
    paths: {
      "/admin/v1/openapi.json": { get: { summary: "This document", responses: ok("OpenAPI 3.1", { type: "object" }) } },
      "/admin/v1/assignment": {
        get: {
          summary: "What is assigned, pinned and served",
          responses: {
            ...REFUSED,
            200: { description: "With an ETag", ...json(ref("Assignment")), headers: { ETag: { schema: text } } },
          },
        },
        put: {
          summary:
            "Pin a variant: it is served whatever the scaler says, until it expires, and the scaler plans around it",
          parameters: [IF_MATCH],
          requestBody: { required: true, ...json(ref("Pin")) },
          responses: {
            ...ok("The pinned variant serves", ref("Assignment")),
            ...CHANGED,
            503: error("The switcher shuts down"),
          },
        },
        delete: {
          summary: "Let go of the pin",
          parameters: [IF_MATCH],
          responses: { ...ok("There is no pin", ref("Assignment")), 412: CHANGED[412], 428: CHANGED[428] },
        },
      },
      "/admin/v1/variants": {
        get: {
          summary: "The variants with their state, load time and memory",
          responses: ok("All variants", object({ variants: list(ref("Variant")) })),
        },
      },
      "/admin/v1/switches": {
        get: {
          summary: "The last hundred Switches, newest last",
          responses: ok("With the duration of each step", object({ switches: list(ref("Switch")) })),
        },
      },
      "/admin/v1/drain": {
        post: {
          summary: "Take in no more work and finish what is queued; only a restart takes it back",
          responses: ok("Nothing is queued any more", object({ drained: boolean })),
        },
      },
      "/admin/v1/log-level": {
        get: { summary: "The level of the log", responses: ok("The level", ref("LogLevel")) },
        put: {
          summary: "Change it until the next start",
          requestBody: { required: true, ...json(ref("LogLevel")) },
          responses: { ...ok("The level", ref("LogLevel")), 400: CHANGED[400] },
        },
      },
      "/admin/v1/profile": {
        post: {
          summary: "Measure a variant in this pod, with inputs of zeros, beside what is served",
          requestBody: { required: true, ...json(ref("ProfileRequest")) },
          responses: {
            ...ok("A Profile as in the pipeline file", ref("Profile")),
            400: CHANGED[400],
            409: CHANGED[409],
            412: error("Another profile is being measured"),
          },
        },
      },
    },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "Where an adminToken is configured" } },
      schemas: SCHEMAS,
    },
  };
}

const SCHEMAS = {
  Error: { ...object({ error: text, code: text }), required: ["error"] },
  Pin: strictObject("variant", {
    variant: text,
    batch: { ...integer, minimum: 1, maximum: ADMIN_LIMITS.maxBatch, default: 1 },
    ttlMs: { ...number, minimum: 1, maximum: ADMIN_LIMITS.maxTtlMs, default: ADMIN_LIMITS.defaultTtlMs },
  }),
  Version: object({ epoch: integer, counter: integer }),
  Rung: object({ variant: text, maxBatch: integer, inMemory: { ...boolean, description: "Batches may be of it" } }),
  Assignment: object({
    assignment: orNull("The newest one of the scaler that was applied", {
      version: ref("Version"),
      rungs: { ...list(object({ variant: text, maxBatch: integer })), description: "Those to be kept in memory" },
      top: { ...text, description: "The most accurate variant that may serve" },
      floor: { ...text, description: "The lightest variant that may serve" },
      ...{ budgetMs: number, laterBudgetMs: number, laterLeastMs: number, headroom: number },
      ...{ shadow: boolean, belowFloor: list(text), decisionId: text },
    }),
    pin: orNull("An operator's", { variant: text, batch: integer, expiresInMs: number }),
    serving: object({
      version: { ...ref("Version"), description: "That of the assignment; 0.0 before the first" },
      variant: { type: ["string", "null"], description: "The most accurate one that serves now" },
      batch: { ...integer, description: "Most rows in a batch of it; 0: nothing serves" },
      ready: boolean,
      residentVariants: list(text),
      rungs: { ...list(ref("Rung")), description: "All that may serve, the most accurate first" },
    }),
  }),
  Variant: object({
    variant: text,
    state: {
      enum: ["absent", "loading", "resident", "serving", "quarantined"],
      description: "`serving` is the most accurate one that serves; lighter ones that serve are `resident`",
    },
    serves: { ...boolean, description: "The next batch may be of it" },
    reason: text,
    loadMs: number,
    memoryMiB: number,
    shadowRows: { ...integer, description: "Rows that the ladder would have had it serve, in shadow" },
  }),
  Switch: object({
    from: { type: ["string", "null"] },
    to: text,
    batch: integer,
    cause: text,
    startedAt: { ...text, format: "date-time" },
    steps: list(object({ step: text, ms: number })),
    switchMs: number,
    outcome: text,
    message: { type: ["string", "null"] },
  }),
  LogLevel: strictObject("level", { level: { enum: [...LOG_LEVELS] } }),
  ProfileRequest: strictObject("variant", {
    variant: text,
    batches: {
      ...list({ ...integer, minimum: 1, maximum: ADMIN_LIMITS.maxBatch }),
      minItems: 1,
      maxItems: ADMIN_LIMITS.maxProfileBatches,
      default: [1],
    },
    seconds: {
      ...number,
      minimum: 0,
      maximum: ADMIN_LIMITS.maxProfileSeconds,
      default: 1,
      description: "For each batch size",
    },
  }),
  Profile: object({
    cores: number,
    loadMs: number,
    memoryMiB: number,
    points: list(object({ batch: integer, latencyMs: number, scv: number, runs: integer })),
  }),
};
