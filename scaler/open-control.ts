import type { Logger } from "pino";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import type { ForecastModel } from "../predictor/network/network-model.ts";
import type { HighAvailability } from "./high-availability.ts";
import { PipelineControl } from "./pipeline-control.ts";
import type { StateKeeper } from "./state-keeper.ts";

export interface ControlOpener {
  readonly keeper: StateKeeper;
  /** Null: this is the only scaler. */
  readonly highAvailability: HighAvailability | null;
  /** Of the one machine that all replicas of the pipeline share; null: replicas have their cores to themselves. */
  readonly machineCores: number | null;
  /** The gateway joins votes. */
  readonly joinsVotes: boolean;
  /** Throws where a pipeline can't run in mode `active`. */
  readonly checkActive: (pipeline: Pipeline) => void;
  readonly logger: Logger;
  readonly nowMs: number;
}

/**
 * The epoch is above the stored one, and above that of any run whose state was lost: those took it from the clock. Of several scalers it
 * is the leader's; what that one has shared stands above what is stored here, but for what was learnt here of the load.
 */
export function openControl(pipeline: Pipeline, bundledModel: ForecastModel, opener: ControlOpener): PipelineControl {
  const { keeper, highAvailability, machineCores, joinsVotes, checkActive, logger, nowMs } = opener;
  const own = keeper.load(pipeline);
  const shared = highAvailability?.stored(pipeline.key) ?? null;
  const stored = shared ? { ...shared, forecaster: own?.forecaster ?? shared.forecaster } : own;
  const cells = keeper.loadHistory(pipeline);
  const ownModel = keeper.loadModel(pipeline);
  const epoch = highAvailability?.epoch ?? Math.max((stored?.epoch ?? 0) + 1, Math.floor(nowMs / 1000));
  return new PipelineControl({
    pipeline,
    stored,
    cells,
    bundledModel,
    ownModel,
    epoch,
    machineCores,
    joinsVotes,
    activeMode: {
      check: checkActive,
      onDropped: problem =>
        logger.warn(
          { pipeline: formatKey(pipeline.key) },
          `mode \`active\`, which an operator set, is not gone back to: ${problem}`,
        ),
    },
    nowMs,
  });
}
