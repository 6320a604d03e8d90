import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ModelPackage } from "../domain/pipeline-schema.ts";

const STAGING = /^\.run-(.+)-(\d+)-[0-9a-f]{8}$/;
/** Of a run on another machine nobody can tell whether it still runs: after so long it does not. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/**
 * Wheels between their download and the end of an installation, by their sha256, so that a run that was ended goes on with them.
 * Each run works in a folder of its own; what it takes or puts here it does in one step.
 */
export class PackageCache {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Removes what ended runs have left. */
  static async open(folder: string): Promise<PackageCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const [, host, pid] = STAGING.exec(name) ?? [];
      if (host === undefined) continue;
      const path = join(folder, name);
      const isOver = host === hostname() ? !isRunning(Number(pid)) : await isOlder(path, ABANDONED_MS);
      if (isOver) await rm(path, { recursive: true, force: true });
    }
    return new PackageCache(folder);
  }

  /** A folder for this run alone. */
  async openRun(): Promise<string> {
    const path = join(this.#folder, `.run-${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`);
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  /** Gives a run the wheel as `file`, if it is here. Another run that is done may remove it meanwhile: the run's own link stays. */
  async take({ sha256 }: ModelPackage, file: string): Promise<boolean> {
    return link(this.#pathOf(sha256), file).then(
      () => true,
      () => false,
    );
  }

  /** Where links can't be made nothing is kept, and an ended run starts anew. */
  async keep({ sha256 }: ModelPackage, file: string): Promise<void> {
    const linked = `${file}.kept`;
    await link(file, linked).then(
      () => rename(linked, this.#pathOf(sha256)),
      () => undefined,
    );
  }

  async remove({ sha256 }: ModelPackage): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  #pathOf(sha256: string): string {
    return join(this.#folder, `${sha256}.whl`);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isOlder(path: string, ms: number): Promise<boolean> {
  return stat(path).then(
    found => Date.now() - found.mtimeMs > ms,
    () => false,
  );
}
