import type { SimulationRun, WindowState } from "./simulation-run.ts";

type StageRow = WindowState["stages"][number] & {
  /** That were served in the window, by variant. */
  readonly rows: Readonly<Record<string, number>>;
};

/** One window of a run: what came, what became of it, and what had been decided by its end. */
export interface TimelineRow extends WindowState {
  readonly stages: readonly StageRow[];
  readonly fromSecond: number;
  readonly offeredRps: number;
  /** Of what was answered; null: nothing was. */
  readonly accuracy: number | null;
  /** Share that was late, dropped or lost; null: nothing came. */
  readonly violations: number | null;
  readonly cores: number;
  readonly p99Ms: number | null;
  readonly switches: number;
}

export function timelineOf({ windows, seconds }: SimulationRun): readonly TimelineRow[] {
  return windows.map((window, i) => {
    const length = (windows[i + 1]?.fromSecond ?? seconds) - window.fromSecond;
    const answered = window.inTime + window.late;
    return {
      fromSecond: window.fromSecond,
      offeredRps: window.offered / length,
      forecastRps: window.forecastRps,
      accuracy: answered > 0 ? window.accuracySum / answered : null,
      violations: window.offered > 0 ? (window.late + window.dropped + window.lost) / window.offered : null,
      cores: window.coreSeconds / length,
      p99Ms: window.latency.quantile(0.99),
      switches: window.switches,
      stages: window.stages.map((stage, s) => ({ ...stage, rows: Object.fromEntries(window.rows[s] ?? []) })),
    };
  });
}
