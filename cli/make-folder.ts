import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder and those that it is in. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    // Node tells of a read-only file system that something is not there: what is made alone fails of what is wrong.
    const missing = firstMissing(resolve(path));
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && missing !== null) mkdirSync(missing);
    throw error;
  }
}

/** The outermost folder of a path that there is not; null: there is no such. */
function firstMissing(path: string): string | null {
  if (existsSync(path)) return null;
  const above = dirname(path);
  return above === path ? null : (firstMissing(above) ?? path);
}
