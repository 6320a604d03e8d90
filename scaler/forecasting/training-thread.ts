import type { BackendName } from "../../predictor/network/backend.ts";
import { RestartableThread } from "../threads/restartable-thread.ts";
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
  readonly #thread: RestartableThread<TrainingRequest, TrainingReply>;
  #watch: () => void = () => undefined;
  #settle: ((result: TrainingResult) => void) | null = null;

  constructor(options: TrainingThreadOptions) {
    this.#options = options;
    this.#thread = new RestartableThread({
      script: options.workerUrl ?? DEFAULT_WORKER,
      resourceLimits: RESOURCE_LIMITS,
      onReply: reply => this.#take(reply),
      onLost: reason => this.#finish({ kind: "failed", message: `the training's thread is gone: ${reason}` }),
    });
  }

  /** Always resolves: a thread that dies, hangs or takes too long is ended, and gives `failed`. */
  async train(request: TrainingRequest): Promise<TrainingResult> {
    const { hungAfterMs = HUNG_AFTER_MS, deadlineMs = DEADLINE_MS } = this.#options;
    let watchdog: NodeJS.Timeout | undefined;
    this.#watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => void this.#thread.end(`it said nothing for ${hungAfterMs} ms`), hungAfterMs);
    };
    const deadline = setTimeout(() => void this.#thread.end(`it took more than ${deadlineMs} ms`), deadlineMs);
    this.#watch();
    const result = await new Promise<TrainingResult>(resolve => {
      this.#settle = resolve;
      this.#thread.post(request);
    });
    this.#watch = () => undefined;
    clearTimeout(watchdog);
    clearTimeout(deadline);
    return result;
  }

  /** Ends the thread; its memory is the system's again. */
  async close(): Promise<void> {
    await this.#thread.end("it was stopped");
  }

  #take(reply: TrainingReply): void {
    this.#watch();
    if (reply.kind === "opened") this.#options.onOpened(reply.backend, reply.refused);
    else if (reply.kind !== "alive") this.#finish(reply);
  }

  #finish(result: TrainingResult): void {
    this.#settle?.(result);
    this.#settle = null;
  }
}
