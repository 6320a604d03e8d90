import type { Logger } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import { type Child, startChild } from "./child-process.ts";

const RESTART_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A process that listened this long has its back-off forgotten. */
const SETTLED_MS = 30_000;

export interface KeptProcessOptions {
  /** In logs. */
  readonly name: string;
  /** Arguments of the command line, asked for at every start. */
  readonly args: () => readonly string[];
  readonly logger: Logger;
  /** It serves on this port now. @param message as it told that. */
  readonly onListening: (port: number, message: object) => void;
  /** It said something else. */
  readonly onMessage?: (message: unknown) => void;
  /** It ended by itself, with this exit code or signal, and is started again unless it is stopped now. */
  readonly onEnded: (status: number | string) => void;
  /** First back-off; doubled by each further end in a row, up to 30 s. Default 500. */
  readonly restartMs?: number;
}

/** One of our own processes, started again with back-off whenever it ends by itself. */
export class KeptProcess {
  readonly #options: KeptProcessOptions;
  #child: Child | null = null;
  #listeningSinceMs: number | null = null;
  #restarts = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeptProcessOptions) {
    this.#options = options;
    this.#start();
  }

  /** Undefined while none runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Does nothing while it does not run. */
  send(message: object): void {
    this.#child?.send(message);
  }

  /** Ends it where it does not answer any more; it is started again. */
  kill(): void {
    this.#child?.kill();
  }

  /** SIGTERM, then SIGKILL after `graceMs`; it is not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#child?.stop(graceMs);
  }

  #start(): void {
    this.#listeningSinceMs = null;
    let child: Child;
    try {
      child = startChild(this.#options.args(), message => this.#onMessage(message), this.#options.logger);
    } catch (error) {
      // No room for its files, or no more processes: later there may be. Told later, as every end: the owner may not hold this object yet.
      setImmediate(() => this.#onGone(VariscaleError.from(error).message));
      return;
    }
    this.#child = child;
    child.gone.then(status => this.#onGone(status)).catch(() => undefined);
  }

  #onMessage(message: unknown): void {
    const listening = message as { kind?: unknown; ports?: { http?: unknown } } | null;
    if (listening?.kind !== "listening") {
      this.#options.onMessage?.(message);
      return;
    }
    if (this.#stopping || typeof listening.ports?.http !== "number") return;
    this.#listeningSinceMs = Date.now();
    this.#options.onListening(listening.ports.http, listening);
  }

  #onGone(status: number | string): void {
    this.#child = null;
    if (this.#stopping) return;
    this.#options.onEnded(status);
    // Whoever was told may have given it up.
    if (!this.#stopping) this.#restartAfter(status);
  }

  #restartAfter(status: number | string): void {
    const { name, logger, restartMs = RESTART_MS } = this.#options;
    const settled = this.#listeningSinceMs !== null && Date.now() - this.#listeningSinceMs > SETTLED_MS;
    this.#restarts = settled ? 1 : this.#restarts + 1;
    const delayMs = Math.min(RESTART_MAX_MS, restartMs * 2 ** (this.#restarts - 1));
    logger.warn({ name, status, delayMs }, "process ended; starting it again");
    this.#timer = setTimeout(() => this.#start(), delayMs);
  }
}
