import type { PipelineBoard } from "../control/board.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { WindowState } from "./simulation-run.ts";

/** What is decided and served at the end of a window. */
export function windowState(pipeline: Pipeline, board: PipelineBoard | null, cluster: SimCluster): WindowState {
  return {
    forecastRps: board?.forecast?.peakRps[2] ?? null,
    stages: pipeline.stages.map((_stage, s) => {
      const ready = cluster.of(s).filter(({ phase }) => phase === "ready");
      const names = ready.flatMap(({ rungs }) => rungs.map(({ table }) => table.variant.name));
      return { ready: ready.length, desired: cluster.desired(s), variants: [...new Set(names)].sort() };
    }),
  };
}
