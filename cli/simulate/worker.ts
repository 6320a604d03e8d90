import { parentPort } from "node:worker_threads";
import type { LoadCell } from "../../predictor/load-history.ts";
import { readBundledModel } from "../../scaler/bundled-model.ts";
import { simulate } from "../../simulator/simulation.ts";
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

parentPort?.on("message", ({ given, history }: ThreadCase) => {
  lastHistory = history ?? lastHistory;
  const run = simulate({
    ...given,
    history: lastHistory,
    model: given.ownModel ?? readBundledModel(),
    clockMs: () => performance.now(),
    onProgress: share => post({ kind: "progress", share }),
  });
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
});
