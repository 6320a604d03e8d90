import type { PipelineBoard } from "../control/board.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { WindowState } from "./simulation-run.ts";

/** What is decided and served at the end of a window. */
export function windowState(pipeline: Pipeline, board: PipelineBoard | null, cluster: SimCluster): WindowState {
  return {
    forecastRps: board?.forecast?.peakRps[2] ?? null,
    guarding: board?.guarding ?? false,
    stages: pipeline.stages.map(({ variants }, s) => {
      const ready = cluster.of(s).filter(({ phase }) => phase === "ready");
      const names = ready.map(({ served }) => variants[served?.variant ?? 0]?.name ?? "");
      return { ready: ready.length, desired: cluster.desired(s), variants: [...new Set(names)].sort() };
    }),
  };
}
