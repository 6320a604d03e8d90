import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder and those that it is in. One by one: Node's `recursive` never ends in /proc, and calls a read-only file system ENOENT. */
export function makeFolder(path: string): void {
  const whole = resolve(path);
  const above = dirname(whole);
  if (!existsSync(above)) makeFolder(above);
  try {
    mkdirSync(whole);
  } catch (error) {
    if (!statSync(whole, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
