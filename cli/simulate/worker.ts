import { parentPort } from "node:worker_threads";
import type { LoadCell } from "../../predictor/load-history.ts";
import { openModel } from "../../predictor/network/open-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { simulate } from "../../simulator/simulation.ts";
import type { SimulationRun } from "../../simulator/simulation-run.ts";
import { summarise } from "../../simulator/summary.ts";
import { type TimelineRow, timelineOf } from "../../simulator/timeline.ts";
import type { ThreadCase } from "./thread.ts";

export interface CaseResult {
  readonly summary: ReturnType<typeof summarise>;
  readonly timeline: readonly TimelineRow[];
  /** Of the ticks that planned or not, as this machine did them. */
  readonly tickP50Ms: number;
  readonly tickP99Ms: number;
  readonly events: number;
}

export type WorkerMessage =
  | { readonly kind: "progress"; readonly share: number }
  | { readonly kind: "result"; readonly result: CaseResult };

const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
let lastHistory: readonly LoadCell[] = [];

async function runCase({ given, history }: ThreadCase): Promise<void> {
  lastHistory = history ?? lastHistory;
  const model = await openModel(given.ownModel ?? readBundledModel());
  try {
    tellResult(
      simulate({
        ...given,
        history: lastHistory,
        model,
        clockMs: () => performance.now(),
        onProgress: share => post({ kind: "progress", share }),
      }),
    );
  } finally {
    model.dispose();
  }
}

function tellResult(run: SimulationRun): void {
  const times = run.tickMs.toSorted((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  post({
    kind: "result",
    result: {
      summary: summarise(run),
      timeline: timelineOf(run),
      tickP50Ms: at(0.5),
      tickP99Ms: at(0.99),
      events: run.events,
    },
  });
}

parentPort?.on("message", (message: ThreadCase) => {
  runCase(message).catch(error => {
    // As if it had been thrown here: the thread ends with it.
    setImmediate(() => {
      throw error;
    });
  });
});
