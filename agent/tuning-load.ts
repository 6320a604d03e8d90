import type { Pipeline } from "../domain/pipeline.ts";
import { generateLoad, type LoadSpec } from "../load/generate-load.ts";
import { mixedLoad } from "../load/load-kinds.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import { optimize } from "../optimizer/optimize.ts";

/** A load of its own for each seed, of all kinds mixed, with this mean. */
export function tuningLoad(seed: number, meanRps: number, seconds: number): LoadTrace {
  const spec = mixedLoad(seed);
  const first = generateLoad(scaled(spec, meanRps / spec.baseRps), seconds, seed);
  const known = first.ratesRps.filter(rate => !Number.isNaN(rate));
  const mean = known.reduce((sum, rate) => sum + rate, 0) / Math.max(1, known.length);
  return mean > 0 ? generateLoad(scaled(spec, (meanRps / spec.baseRps) * (meanRps / mean)), seconds, seed) : first;
}

function scaled(spec: LoadSpec, factor: number): LoadSpec {
  const components = spec.components.map(component =>
    component.kind === "onOff" ? { ...component, rateRps: component.rateRps * factor } : component,
  );
  return { ...spec, baseRps: spec.baseRps * factor, components };
}

const MOST_RPS = 1e5;

/** The highest entry rate that some configuration carries within every constraint. */
export function mostCarriedRps(pipeline: Pipeline): number {
  const carries = (rateRps: number): boolean =>
    optimize({
      pipeline,
      rateRps,
      current: null,
      corrections: {},
      excluded: {},
      pins: [],
      limits: { cores: null, machineCores: null },
      bounds: {},
      combine: {},
      runnerUp: false,
    }).feasible;
  let [low, high] = [0.01, MOST_RPS];
  if (!carries(low)) return 0;
  while (high / low > 1.02) {
    const middle = Math.sqrt(low * high);
    if (carries(middle)) low = middle;
    else high = middle;
  }
  return low;
}
