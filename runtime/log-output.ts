import { writeSync } from "node:fs";

/** Lines that can't be written yet, as on a full disk or where nobody reads them, wait up to so many bytes; further ones are lost. */
const MOST_WAITING_BYTES = 1024 * 1024;
const RETRY_MS = 100;
/** A process that ends goes on trying for so long, and so often. */
const LAST_WITHIN_MS = 2000;
const LAST_RETRY_MS = 10;

/**
 * A destination for pino that writes each line at once, so that nothing is missing of a process that is killed. It never ends and never waits:
 * where the kernel takes no more, or nobody reads the pipe, lines wait in memory and are tried again.
 */
export class LogOutput {
  readonly #fd: number;
  /** Its first line may have been written in part. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lostLines = 0;
  #retry: NodeJS.Timeout | null = null;

  constructor(fd: number) {
    this.#fd = fd;
    // Node makes a pipe non-blocking as soon as its stream is looked at. The stream itself is not written to; its errors end nothing.
    process.stderr.on("error", () => undefined);
    process.on("exit", () => this.#writeLast());
  }

  get lostLines(): number {
    return this.#lostLines;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MOST_WAITING_BYTES) {
      this.#lostLines++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // While a line waits, each attempt would fail like the last one.
    if (this.#retry === null) this.#writeWaiting();
  }

  /** Gives the error that stopped it; null: nothing waits any more. */
  #writeWaiting(): NodeJS.ErrnoException | null {
    this.#retry = null;
    try {
      this.#writeAll();
      return null;
    } catch (error) {
      this.#retry = setTimeout(() => this.#writeWaiting(), RETRY_MS).unref();
      return error as NodeJS.ErrnoException;
    }
  }

  #writeAll(): void {
    let lines = 0;
    try {
      for (let bytes = this.#waiting[0]; bytes; bytes = this.#waiting[lines]) {
        const written = writeSync(this.#fd, bytes);
        this.#waitingBytes -= written;
        if (written === bytes.length) lines++;
        else this.#waiting[lines] = bytes.subarray(written);
      }
    } finally {
      this.#waiting = this.#waiting.slice(lines);
    }
  }

  /** A process that exits has no timers any more. */
  #writeLast(): void {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const endMs = performance.now() + LAST_WITHIN_MS;
    while (this.#writeWaiting()?.code === "EAGAIN" && performance.now() < endMs)
      Atomics.wait(sleeper, 0, 0, LAST_RETRY_MS);
  }
}
