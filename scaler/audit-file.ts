import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { VariscaleError } from "../domain/errors.ts";

/** Lines that wait for a slow disk at most; further ones are lost, and counted. */
const MOST_WAITING = 2000;
const REOPEN_MS = 10_000;
const NEW_LINE = 10;

export interface AuditFileOptions {
  readonly path: string;
  /** The file is renamed to `.1` when it would grow beyond. */
  readonly maxBytes: number;
  /** Renamed files that are kept. */
  readonly keep: number;
  /** For so long at most lines go on into a file that somebody else removed or renamed. */
  readonly reopenMs?: number;
  /** Told after every write: null, or what went wrong. */
  readonly onWrite: (problem: string | null) => void;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly sinceMs: number;
  bytes: number;
}

/** An append-only log of JSON lines whose size is bounded. Appending never waits and never throws; a full disk is told. */
export class AuditFile {
  readonly #options: AuditFileOptions;
  #waiting: string[] = [];
  #open: OpenFile | null = null;
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

  /** Waits for what was appended, and closes the file until more is. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#closeFile();
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
        await this.#closeFile().catch(() => undefined);
        this.#options.onWrite(
          `cannot write ${this.#options.path}: ${VariscaleError.from(error).message}; make room on the disk or make the folder writable`,
        );
      }
    }
    this.#writing = null;
  }

  async #write(text: string): Promise<void> {
    const length = Buffer.byteLength(text);
    let file = await this.#opened();
    if (file.bytes > 0 && file.bytes + length > this.#options.maxBytes) {
      await this.#closeFile();
      await this.#rotate();
      file = await this.#opened();
    }
    await file.handle.appendFile(text);
    file.bytes += length;
  }

  async #opened(): Promise<OpenFile> {
    const { path, reopenMs = REOPEN_MS } = this.#options;
    if (this.#open && performance.now() - this.#open.sinceMs > reopenMs) await this.#closeFile();
    if (this.#open) return this.#open;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, "a+", 0o640);
    this.#open = { handle, sinceMs: performance.now(), bytes: 0 };
    this.#open.bytes = await endLastLine(handle);
    return this.#open;
  }

  async #closeFile(): Promise<void> {
    const file = this.#open;
    this.#open = null;
    await file?.handle.close();
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    await rm(`${path}.${keep}`, { force: true });
    for (let i = keep - 1; i >= 1; i--) await renameIfThere(`${path}.${i}`, `${path}.${i + 1}`);
    if (keep > 0) await rename(path, `${path}.1`);
    else await rm(path);
  }
}

/** Ends a line that a full disk, or the end of the process, has cut off: the next one must not be lost with it. Gives the file's size. */
async function endLastLine(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  if (size === 0) return 0;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  if (last[0] === NEW_LINE) return size;
  await handle.appendFile("\n");
  return size + 1;
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
