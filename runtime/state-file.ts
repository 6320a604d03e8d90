import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import { stateFileError } from "./state-file-error.ts";

/** Raised when a reader of the last version would misread the envelope; payloads have versions of their own. */
const SCHEMA_VERSION = 1;
/** Far above what hundreds of pipelines need, far below what a string can hold. */
const MAX_STATE_MIB = 64;
/** A write takes milliseconds: a temporary file this old was left by a process that was killed. */
const ABANDONED_AFTER_MS = 60_000;

export type StateRead =
  | { readonly kind: "ok"; readonly payload: unknown; readonly savedAtMs: number }
  | { readonly kind: "absent" }
  /** `reason` says what is wrong and where the file was kept. */
  | { readonly kind: "corrupt"; readonly reason: string };

/**
 * Reads what `writeState` wrote. A file that is damaged, or written by a newer version, is renamed to `PATH.corrupt` (replacing an
 * older one), so that the next write does not destroy it. Throws VariscaleError when the file is there but can't be read.
 */
export function readState(path: string): StateRead {
  removeAbandoned(path);
  let text: string;
  try {
    const bytes = statSync(path).size;
    if (bytes > MAX_STATE_MIB * 2 ** 20)
      return setAside(path, `it has ${bytes} bytes, at most ${MAX_STATE_MIB} MiB are read`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { kind: "absent" };
    throw stateFileError("read", path, error);
  }
  const opened = openEnvelope(text);
  return typeof opened === "string" ? setAside(path, opened) : opened;
}

/**
 * Replaces the state in one step: temporary file, fsync, rename, fsync of the directory, so that a crash or a full disk leaves
 * either the old state or the new one. Makes missing directories. `payload` must be JSON, and is read before this returns its promise.
 * Rejects with VariscaleError, and then the old state is still there. Of two writes under way at once either may be the last.
 */
export async function writeState(path: string, payload: unknown, nowMs: number): Promise<void> {
  const text = sealEnvelope(path, payload, nowMs);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await withFile(temporary, "wx", async file => {
      await file.writeFile(text);
      await file.sync();
    });
    await rename(temporary, path);
    await withFile(dirname(path), "r", syncDirectory);
  } catch (error) {
    // What went wrong before is what is to be told, and a file that stays is removed as abandoned later.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw stateFileError("write", path, error);
  }
}

function sealEnvelope(path: string, payload: unknown, nowMs: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw new VariscaleError("invalid_argument", `the state for ${path} is no JSON`, { cause: error });
  }
  if (json === undefined) throw new VariscaleError("invalid_argument", `the state for ${path} is ${payload}, no JSON`);
  const savedAt = new Date(nowMs).toISOString();
  const head = `{"schemaVersion":${SCHEMA_VERSION},"savedAt":"${savedAt}","sha256":"${sha256(json)}"`;
  const text = `${head},"payload":${json}}\n`;
  const mebibytes = Buffer.byteLength(text) / 2 ** 20;
  if (mebibytes <= MAX_STATE_MIB) return text;
  throw new VariscaleError(
    "resource_exhausted",
    `the state for ${path} has ${mebibytes.toFixed(1)} MiB, at most ${MAX_STATE_MIB} MiB are kept; store fewer pipelines in one file`,
  );
}

/** The state, or what is wrong with it. */
function openEnvelope(text: string): StateRead | string {
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
  // Text that JSON.stringify wrote comes out the same after JSON.parse.
  if (payload === undefined || sha256(JSON.stringify(payload)) !== expected)
    return "its sha256 does not match: it was damaged or edited";
  return { kind: "ok", payload, savedAtMs };
}

function setAside(path: string, problem: string): StateRead {
  const aside = `${path}.corrupt`;
  try {
    renameSync(path, aside);
    return { kind: "corrupt", reason: `${path} is unusable: ${problem}. It was kept as ${aside}.` };
  } catch (error) {
    const { message } = stateFileError("rename", path, error);
    return { kind: "corrupt", reason: `${path} is unusable: ${problem}. It could not be kept aside: ${message}` };
  }
}

function removeAbandoned(path: string): void {
  const directory = dirname(path);
  try {
    for (const name of readdirSync(directory)) {
      if (!name.startsWith(`${basename(path)}.`) || !name.endsWith(".tmp")) continue;
      const temporary = join(directory, name);
      if (Date.now() - statSync(temporary).mtimeMs > ABANDONED_AFTER_MS) rmSync(temporary, { force: true });
    }
  } catch {
    // Tidying may fail; whether the state itself can be read shows next.
  }
}

async function withFile(path: string, flags: string, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** Makes the rename last. Some file systems can't sync a directory and do not need it. */
async function syncDirectory(directory: FileHandle): Promise<void> {
  try {
    await directory.sync();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EINVAL")) throw error;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
