import type { Logger } from "pino";
import { type Child, startChild } from "./child-process.ts";

const PROBE_INTERVAL_MS = 250;
const PROBE_TIMEOUT_MS = 2000;
/** Failed probes in a row after which a replica no longer counts as ready. */
const PROBE_FAILURES = 3;
const RESTART_MS = 500;
const RESTART_MAX_MS = 30_000;
/** A replica that was ready this long has its back-off forgotten. */
const SETTLED_MS = 30_000;
const STOP_GRACE_MS = 10_000;

export interface ReplicaOptions {
  readonly pod: string;
  /** Arguments of the switcher's command line. */
  readonly args: readonly string[];
  readonly logger: Logger;
  /** Its address or readiness has changed. */
  readonly onChange: () => void;
}

/** One switcher process, kept alive: probed as a kubelet would, restarted with back-off when it ends by itself. */
export class Replica {
  readonly pod: string;
  readonly #options: ReplicaOptions;
  #child: Child | null = null;
  #port: number | null = null;
  #ready = false;
  #readySinceMs = 0;
  #failures = 0;
  #restarts = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(options: ReplicaOptions) {
    this.pod = options.pod;
    this.#options = options;
    this.#start();
  }

  /** host:port once it is ready, null otherwise. */
  get address(): string | null {
    return this.#ready && this.#port !== null && !this.#stopping ? `127.0.0.1:${this.#port}` : null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Takes it out of the endpoints, then lets it drain and end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#restartTimer);
    if (this.#ready) this.#options.onChange();
    this.#ready = false;
    await this.#child?.stop(STOP_GRACE_MS);
  }

  #start(): void {
    const child = startChild(this.#options.args, message => this.#onMessage(message), this.#options.logger);
    this.#child = child;
    this.#port = null;
    this.#failures = 0;
    child.gone.then(status => this.#onGone(status)).catch(() => undefined);
  }

  #onMessage(message: unknown): void {
    const listening = message as { kind?: unknown; ports?: { http?: unknown } } | null;
    if (listening?.kind !== "listening" || typeof listening.ports?.http !== "number") return;
    this.#port = listening.ports.http;
    this.#scheduleProbe();
  }

  #onGone(status: number | string): void {
    clearTimeout(this.#timer);
    const settled = this.#ready && Date.now() - this.#readySinceMs > SETTLED_MS;
    this.#setReady(false);
    if (this.#stopping) return;
    this.#restarts = settled ? 1 : this.#restarts + 1;
    const delayMs = Math.min(RESTART_MAX_MS, RESTART_MS * 2 ** (this.#restarts - 1));
    this.#options.logger.warn({ pod: this.pod, status, delayMs }, "replica ended; starting it again");
    this.#restartTimer = setTimeout(() => this.#start(), delayMs);
  }

  #scheduleProbe(): void {
    this.#timer = setTimeout(() => {
      this.#probe().catch(() => undefined);
    }, PROBE_INTERVAL_MS);
  }

  async #probe(): Promise<void> {
    const child = this.#child;
    const ready = await fetch(`http://127.0.0.1:${this.#port}/v2/health/ready`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    }).then(
      response => response.ok,
      () => false,
    );
    if (this.#stopping || child !== this.#child) return;
    this.#failures = ready ? 0 : this.#failures + 1;
    if (ready) this.#setReady(true);
    else if (this.#failures >= PROBE_FAILURES) this.#setReady(false);
    this.#scheduleProbe();
  }

  #setReady(ready: boolean): void {
    if (ready === this.#ready) return;
    this.#ready = ready;
    if (ready) this.#readySinceMs = Date.now();
    if (!this.#stopping) this.#options.onChange();
  }
}
