import { Worker } from "node:worker_threads";
import type { BackendName } from "../predictor/train-network.ts";
import type { TrainingReply, TrainingRequest, TrainingResult } from "./training-messages.ts";

const DEFAULT_WORKER = new URL("./training-worker.js", import.meta.url);
/** V8's heap; rows and weights lie outside of it and are bounded by their number. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 256 };
/** It says that it is alive every few seconds; reading and preparing rows takes longer on a slow machine. */
const HUNG_AFTER_MS = 300_000;
/** At a tenth of a core a training with three weeks of load takes about 36 minutes: it makes forty a day. */
const DEADLINE_MS = 6 * 3_600_000;

export interface TrainingThreadOptions {
  readonly onOpened: (backend: BackendName, refused: readonly string[]) => void;
  /** The script of the thread. */
  readonly workerUrl?: URL;
  readonly hungAfterMs?: number;
  readonly deadlineMs?: number;
}

/** One thread that trains one model at a time. It is started when there is something to train, and ended by `close()`. */
export class TrainingThread {
  readonly #options: TrainingThreadOptions;
  #worker: Worker | null = null;
  #settle: ((result: TrainingResult) => void) | null = null;

  constructor(options: TrainingThreadOptions) {
    this.#options = options;
  }

  /** Always resolves: a thread that dies, hangs or takes too long is ended, and gives `failed`. */
  async train(request: TrainingRequest): Promise<TrainingResult> {
    const { hungAfterMs = HUNG_AFTER_MS, deadlineMs = DEADLINE_MS } = this.#options;
    const worker = this.#open();
    let watchdog: NodeJS.Timeout | undefined;
    const watch = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => this.#end(`it said nothing for ${hungAfterMs} ms`), hungAfterMs);
    };
    const deadline = setTimeout(() => this.#end(`it took more than ${deadlineMs} ms`), deadlineMs);
    worker.on("message", watch);
    watch();
    const result = await new Promise<TrainingResult>(resolve => {
      this.#settle = resolve;
      worker.postMessage(request);
    });
    clearTimeout(watchdog);
    clearTimeout(deadline);
    worker.off("message", watch);
    return result;
  }

  /** Ends the thread; its memory is the system's again. */
  async close(): Promise<void> {
    await this.#end("it was stopped");
  }

  #open(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#options.workerUrl ?? DEFAULT_WORKER, {
      resourceLimits: RESOURCE_LIMITS,
      execArgv: [],
    });
    worker.unref();
    worker.on("message", (reply: TrainingReply) => {
      if (reply.kind === "opened") this.#options.onOpened(reply.backend, reply.refused);
      else if (reply.kind !== "alive") this.#finish(reply);
    });
    worker.on("error", (error: Error) => this.#lose(worker, error.message));
    worker.on("exit", code => this.#lose(worker, `its thread ended with code ${code}`));
    this.#worker = worker;
    return worker;
  }

  async #end(reason: string): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    this.#lose(worker, reason);
    await worker.terminate();
  }

  #lose(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#finish({ kind: "failed", message: `the training's thread is gone: ${reason}` });
  }

  #finish(result: TrainingResult): void {
    this.#settle?.(result);
    this.#settle = null;
  }
}
