import { createHash } from "node:crypto";
import { VariscaleError } from "../domain/errors.ts";

/** Raised when a reader of the last version would misread the envelope; payloads have versions of their own. */
const SCHEMA_VERSION = 1;
/** Far above what hundreds of pipelines need, far below what a string can hold. */
export const MAX_STATE_MIB = 64;

export interface OpenedEnvelope {
  readonly kind: "ok";
  readonly payload: unknown;
  readonly savedAtMs: number;
}

/**
 * What is written in the place of a payload: with a version, its time and a checksum. Throws invalid_argument for what is no JSON, and
 * resource_exhausted for what is too large.
 *
 * @param where it is stored, for messages.
 */
export function sealEnvelope(where: string, payload: unknown, nowMs: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw new VariscaleError("invalid_argument", `the state for ${where} is no JSON`, { cause: error });
  }
  if (json === undefined) throw new VariscaleError("invalid_argument", `the state for ${where} is ${payload}, no JSON`);
  const savedAt = new Date(nowMs).toISOString();
  const head = `{"schemaVersion":${SCHEMA_VERSION},"savedAt":"${savedAt}","sha256":"${sha256(json)}"`;
  const text = `${head},"payload":${json}}\n`;
  const mebibytes = Buffer.byteLength(text) / 2 ** 20;
  if (mebibytes <= MAX_STATE_MIB) return text;
  throw new VariscaleError(
    "resource_exhausted",
    `the state for ${where} has ${mebibytes.toFixed(1)} MiB, at most ${MAX_STATE_MIB} MiB are kept; store fewer pipelines in one file`,
  );
}

/** What was sealed, or what is wrong with it. */
export function openEnvelope(text: string): OpenedEnvelope | string {
  let envelope: Partial<Record<string, unknown>> | null;
  try {
    envelope = JSON.parse(text);
  } catch {
    return "it is no JSON: it was cut off or edited";
  }
  const schemaVersion = envelope?.["schemaVersion"];
  if (typeof schemaVersion === "number" && schemaVersion > SCHEMA_VERSION)
    return `its schemaVersion is ${schemaVersion}, this version reads up to ${SCHEMA_VERSION}: run the newer version again, or go on without this state`;
  if (!envelope || schemaVersion !== SCHEMA_VERSION)
    return `its schemaVersion is ${JSON.stringify(schemaVersion) ?? "missing"}, not ${SCHEMA_VERSION}`;
  const { savedAt, sha256: expected, payload } = envelope;
  const savedAtMs = typeof savedAt === "string" ? Date.parse(savedAt) : Number.NaN;
  if (Number.isNaN(savedAtMs)) return "its savedAt is no time";
  if (payload === undefined || checksumOf(payload) !== expected)
    return "its sha256 does not match: it was damaged or edited";
  return { kind: "ok", payload, savedAtMs };
}

/** Text that JSON.stringify wrote comes out the same after JSON.parse. Null: it did not write this, which is nested too deeply for it. */
function checksumOf(payload: unknown): string | null {
  try {
    return sha256(JSON.stringify(payload));
  } catch {
    return null;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
