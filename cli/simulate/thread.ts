import { Worker } from "node:worker_threads";
import type { LoadCell } from "../../predictor/load-history.ts";
import type { SimulationCase } from "./cases.ts";
import type { CaseResult, WorkerMessage } from "./worker.ts";

/** What a thread is sent; a history of null is that of its last case: weeks of load are not sent anew for each policy. */
export interface ThreadCase {
  readonly given: Omit<SimulationCase, "history">;
  readonly history: readonly LoadCell[] | null;
}

/** A thread that simulates one case after another. */
export class SimulationThread {
  readonly #worker = new Worker(new URL("./worker.js", import.meta.url));
  #history: readonly LoadCell[] | null = null;

  /** One at a time. Throws the signal's reason when that is aborted; then, and after any other error, the thread is of no more use. */
  async run(
    { history, ...given }: SimulationCase,
    onProgress: (share: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<CaseResult> {
    signal?.throwIfAborted();
    const worker = this.#worker;
    const listening = new AbortController();
    const { signal: over } = listening;
    try {
      return await new Promise((resolve, reject) => {
        const sent: ThreadCase = { given, history: history === this.#history ? null : history };
        this.#history = history;
        const onMessage = (message: WorkerMessage): void => {
          if (message.kind === "progress") onProgress(message.share);
          else resolve(message.result);
        };
        const onExit = (code: number): void =>
          reject(new Error(`a simulation's thread ended with ${code} before its result`));
        worker.on("message", onMessage).on("error", reject).on("exit", onExit);
        over.addEventListener("abort", () => worker.off("message", onMessage).off("error", reject).off("exit", onExit));
        signal?.addEventListener("abort", () => reject(signal.reason), { signal: over });
        worker.postMessage(sent);
      });
    } finally {
      listening.abort();
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
