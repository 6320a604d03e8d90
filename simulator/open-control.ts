import { UNTUNED } from "../control/tuning.ts";
import { forecastSource } from "./forecast-source.ts";
import { SimControl } from "./sim-control.ts";
import type { SimulationOptions } from "./simulation-run.ts";

/** The control loop of a simulation, with the forecasts that it is given. */
export function openControl(options: SimulationOptions): SimControl {
  const { pipeline, load, cluster } = options;
  return new SimControl({
    pipeline,
    forecasts: forecastSource(options.forecast, {
      trace: load,
      history: options.history,
      model: options.model,
      learnt: options.learnt ?? null,
      margin: options.margin ?? 1,
      calibrated: !options.without?.includes("calibration"),
    }),
    limits: { cores: options.maxCores, machineCores: options.machineCores ?? null },
    tolerance: cluster.tolerance > 0 ? cluster.tolerance : null,
    without: options.without ?? [],
    tuning: options.tuning ?? UNTUNED,
  });
}
