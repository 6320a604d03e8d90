import type { Logger } from "pino";
import { HttpClient } from "../../runtime/http-client.ts";
import type { ModelClaims } from "../../variant-switcher/model-claims.ts";
import { keepClaim } from "../../variant-switcher/parent-claims.ts";
import { KeptProcess } from "./kept-process.ts";

const PROBE_INTERVAL_MS = 250;
const PROBE_TIMEOUT_MS = 2000;
/** Failed probes in a row after which a replica no longer counts as ready. */
const PROBE_FAILURES = 3;
/** Probes in a row without any answer after which it hangs and is ended. */
const PROBE_SILENCES = 8;
const STOP_GRACE_MS = 10_000;
const MOST_PROBE_BYTES = 64 * 1024;

const httpClient = new HttpClient({ idleMs: 4000 });

export interface ReplicaOptions {
  readonly pod: string;
  /** Arguments of the switcher's command line, asked for at every start. */
  readonly args: () => readonly string[];
  readonly logger: Logger;
  /** They count who uses which model of another server, for all replicas on this machine. */
  readonly claims: ModelClaims;
  /** Its address or readiness has changed. */
  readonly onChange: () => void;
  /** From one probe's answer to the next probe. Default 250. */
  readonly probeIntervalMs?: number;
  /** How long a probe waits for an answer. Default 2000. */
  readonly probeTimeoutMs?: number;
  /** First back-off after it ended by itself. Default 500. */
  readonly restartMs?: number;
}

/** One switcher process, kept alive: probed as a kubelet would, restarted with back-off when it ends by itself or hangs. */
export class Replica {
  readonly pod: string;
  readonly #options: ReplicaOptions;
  readonly #process: KeptProcess;
  #port: number | null = null;
  #ready = false;
  #failures = 0;
  #silences = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReplicaOptions) {
    this.pod = options.pod;
    this.#options = options;
    this.#process = new KeptProcess({
      name: options.pod,
      args: options.args,
      logger: options.logger,
      onListening: port => this.#onListening(port),
      onMessage: message => void keepClaim(options.claims, options.pod, message, answer => this.#process.send(answer)),
      onEnded: () => this.#onEnded(),
      ...(options.restartMs === undefined ? {} : { restartMs: options.restartMs }),
    });
  }

  /** host:port once it is ready, null otherwise. */
  get address(): string | null {
    return this.#ready && this.#port !== null && !this.#stopping ? `127.0.0.1:${this.#port}` : null;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Takes it out of the endpoints, then lets it drain and end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    if (this.#ready) this.#options.onChange();
    this.#ready = false;
    await this.#process.stop(STOP_GRACE_MS);
    await this.#options.claims.releaseAll(this.pod);
  }

  #onListening(port: number): void {
    this.#port = port;
    this.#failures = 0;
    this.#silences = 0;
    this.#scheduleProbe();
  }

  #onEnded(): void {
    clearTimeout(this.#timer);
    this.#port = null;
    this.#setReady(false);
    void this.#options.claims.releaseAll(this.pod);
  }

  #scheduleProbe(): void {
    this.#timer = setTimeout(() => {
      this.#probe().catch(() => undefined);
    }, this.#options.probeIntervalMs ?? PROBE_INTERVAL_MS);
  }

  async #probe(): Promise<void> {
    const port = this.#port;
    const probe = {
      method: "GET",
      url: new URL(`http://127.0.0.1:${port}/v2/health/ready`),
      timeoutMs: this.#options.probeTimeoutMs ?? PROBE_TIMEOUT_MS,
      maxBytes: MOST_PROBE_BYTES,
      // As a kubelet's: a replica must take connections.
      isFresh: true,
    };
    const answer = await httpClient.request(probe).then(
      ({ status }) => (status === 200 ? "ready" : "unready"),
      () => "silent",
    );
    if (this.#stopping || port !== this.#port) return;
    this.#failures = answer === "ready" ? 0 : this.#failures + 1;
    this.#silences = answer === "silent" ? this.#silences + 1 : 0;
    if (answer === "ready") this.#setReady(true);
    else if (this.#failures >= PROBE_FAILURES) this.#setReady(false);
    if (this.#silences >= PROBE_SILENCES) {
      this.#options.logger.warn({ pod: this.pod }, "replica does not answer; ending it");
      this.#process.kill();
    } else this.#scheduleProbe();
  }

  #setReady(ready: boolean): void {
    if (ready === this.#ready) return;
    this.#ready = ready;
    if (!this.#stopping) this.#options.onChange();
  }
}
