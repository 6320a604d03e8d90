import { type ResourceLimits, type TransferListItem, Worker } from "node:worker_threads";

export interface RestartableThreadOptions<Reply> {
  /** The script of the thread. */
  readonly script: URL;
  readonly resourceLimits: ResourceLimits;
  readonly onReply: (reply: Reply) => void;
  /** Called once for each thread that dies or is ended, with the reason. */
  readonly onLost: (reason: string) => void;
}

/** A worker thread that is started when there is something to post, and again after it was lost. It keeps no process alive. */
export class RestartableThread<Request, Reply> {
  readonly #options: RestartableThreadOptions<Reply>;
  #worker: Worker | null = null;

  constructor(options: RestartableThreadOptions<Reply>) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }

  post(request: Request, transferred: readonly TransferListItem[] = []): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request, [...transferred]);
  }

  /** Ends the thread, if there is one; its memory is the system's again. What it still says is not heard. */
  async end(reason: string): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    this.#lose(worker, reason);
    await worker.terminate();
  }

  #start(): Worker {
    const { script, resourceLimits, onReply } = this.#options;
    const worker = new Worker(script, { resourceLimits, execArgv: [] });
    worker.unref();
    worker.on("message", (reply: Reply) => {
      if (this.#worker === worker) onReply(reply);
    });
    worker.on("error", (error: Error) => this.#lose(worker, error.message));
    worker.on("exit", code => this.#lose(worker, `its thread ended with code ${code}`));
    return worker;
  }

  #lose(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#options.onLost(reason);
  }
}
