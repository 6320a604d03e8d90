import { appendFile, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { VariscaleError } from "../domain/errors.ts";

/** Lines that wait for a slow disk at most; further ones are lost, and counted. */
const MOST_WAITING = 2000;

export interface AuditFileOptions {
  readonly path: string;
  /** The file is renamed to `.1` when it would grow beyond. */
  readonly maxBytes: number;
  /** Renamed files that are kept. */
  readonly keep: number;
  /** Told after every write: null, or what went wrong. */
  readonly onWrite: (problem: string | null) => void;
}

/** An append-only log of JSON lines whose size is bounded. Appending never waits and never throws; a full disk is told. */
export class AuditFile {
  readonly #options: AuditFileOptions;
  #waiting: string[] = [];
  #bytes: number | null = null;
  #writing: Promise<void> | null = null;
  #lost = 0;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  /** Lines that could not be written. */
  get lost(): number {
    return this.#lost;
  }

  append(record: unknown): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    this.#writing ??= this.#drain();
  }

  /** Waits for what was appended. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // After this turn, so that lines of one turn are one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(lines.join(""));
        this.#options.onWrite(null);
      } catch (error) {
        this.#lost += lines.length;
        this.#bytes = null;
        this.#options.onWrite(
          `cannot write ${this.#options.path}: ${VariscaleError.from(error).message}; make room on the disk or make the folder writable`,
        );
      }
    }
    this.#writing = null;
  }

  async #write(text: string): Promise<void> {
    const { path, maxBytes } = this.#options;
    if (this.#bytes === null) {
      await mkdir(dirname(path), { recursive: true });
      this.#bytes = await sizeOf(path);
    }
    const length = Buffer.byteLength(text);
    if (this.#bytes > 0 && this.#bytes + length > maxBytes) {
      await this.#rotate();
      this.#bytes = 0;
    }
    await appendFile(path, text, { mode: 0o640 });
    this.#bytes += length;
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    await rm(`${path}.${keep}`, { force: true });
    for (let i = keep - 1; i >= 1; i--) await renameIfThere(`${path}.${i}`, `${path}.${i + 1}`);
    if (keep > 0) await rename(path, `${path}.1`);
    else await rm(path);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
