import { closeSync, openSync, writeFileSync } from "node:fs";
import { VariscaleError } from "../../domain/errors.ts";

/** A file that grows as text comes. Its first problem is kept, and nothing is written after it. */
export class OutputFile {
  readonly #path: string;
  readonly #fd: number;
  #problem: VariscaleError | null = null;

  /** @throws VariscaleError failed_precondition where it can't be opened. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** Null: all that came is written. */
  get problem(): VariscaleError | null {
    return this.#problem;
  }

  write(data: string | Buffer): void {
    if (this.#problem === null) this.#try(() => writeFileSync(this.#fd, data));
  }

  /** Some file systems tell only now that they have no room. */
  close(): void {
    this.#try(() => closeSync(this.#fd));
  }

  #try(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#problem ??= unwritable(this.#path, error);
    }
  }
}

/** @throws VariscaleError failed_precondition where it can't be written. */
export function writeOutput(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): VariscaleError {
  const why = VariscaleError.from(cause).message;
  const message = `can't write ${path} (${why}). Make room or remove what is in the way, or name another folder with --folder.`;
  return new VariscaleError("failed_precondition", message, { cause });
}
