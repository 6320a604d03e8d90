import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MAX_STATE_MIB, type OpenedEnvelope, openEnvelope, sealEnvelope } from "./state-envelope.ts";
import { stateFileError } from "./state-file-error.ts";

/** A write takes milliseconds: a temporary file this old was left by a process that was killed. */
const ABANDONED_AFTER_MS = 60_000;

export type StateRead =
  | OpenedEnvelope
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
 * Replaces the state in one step: temporary file, fsync, rename, so that a crash or a full disk leaves either the old state or
 * the new one; the old one also where the machine crashes before the file system wrote the rename down, seconds later. Makes
 * missing directories. `payload` must be JSON, and is read before this returns its promise.
 * Rejects with VariscaleError, and then the old state is still there. Of two writes under way at once either may be the last.
 */
export async function writeState(path: string, payload: unknown, nowMs: number): Promise<void> {
  const text = sealEnvelope(path, payload, nowMs);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeNew(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    // What went wrong before is what is to be told, and a file that stays is removed as abandoned later.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw stateFileError("write", path, error);
  }
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

/** Makes its directory only where it is missing: hundreds of states are written every ten seconds. */
async function writeNew(path: string, text: string): Promise<void> {
  const write = (): Promise<void> => writeFile(path, text, { flag: "wx", mode: 0o600, flush: true });
  try {
    await write();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await write();
  }
}
