import { generateLoad, type LoadSpec } from "../../load/generate-load.ts";
import type { LoadComponent } from "../../load/load-component.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";

/** Rates in rps, one a second. */
export type Load = (seconds: number, seed: number) => number[];

/** Independent requests at this rate, and what else there is. */
export function poissonLoad(baseRps: number, ...components: readonly LoadComponent[]): Load {
  return loadOf({ baseRps, components, groupSize: 1 });
}

function loadOf(spec: LoadSpec): Load {
  return (seconds, seed) => [...generateLoad(spec, seconds, seed).ratesRps];
}

export const LOADS: Readonly<Record<string, Load>> = {
  constant: loadOf(LOAD_KINDS.steady),
  low: poissonLoad(1),
  diurnal: poissonLoad(60, { kind: "season", periodSeconds: 3600, amplitude: 0.7, topSeconds: 900 }),
  ramps: poissonLoad(10, { kind: "course", periodSeconds: 1200, factors: [20, 15, 10, 5, 1, 5, 10, 15, 20] }),
  bursts: poissonLoad(
    30,
    { kind: "onOff", rateRps: 30, meanOnSeconds: 25, meanOffSeconds: 400 },
    { kind: "onOff", rateRps: 70, meanOnSeconds: 25, meanOffSeconds: 400 },
  ),
  shifts: poissonLoad(50, { kind: "shifts", meanSeconds: 600, sigma: 0.6 }),
};
