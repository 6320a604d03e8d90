import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";

const TEMPORARY = /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;
/** A write takes seconds at most: a temporary file this old was left by a process that was killed. */
const ABANDONED_MS = 10 * 60 * 1000;

/**
 * Writes beside the file's place, then renames: a reader never sees half a file, and what was there stays where writing fails.
 *
 * @throws failed_precondition
 */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cannotWrite(path, cause);
  }
}

/** Removes what killed processes have left of their writes. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!TEMPORARY.test(name)) continue;
    const path = join(folder, name);
    const isOld = await stat(path).then(
      found => Date.now() - found.mtimeMs > ABANDONED_MS,
      () => false,
    );
    // Tidying may fail: nothing depends on it.
    if (isOld) await rm(path, { force: true }).catch(() => undefined);
  }
}

export function cannotWrite(path: string, cause: unknown): VariscaleError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new VariscaleError(
    "failed_precondition",
    `can't write ${path} (${what}): make room or choose another folder`,
    { cause },
  );
}
