import type { Pipeline } from "../../domain/pipeline.ts";
import { simulate } from "../../simulator/simulation.ts";
import type { SimulationOptions, SimulationRun } from "../../simulator/simulation-run.ts";
import { summarise } from "../../simulator/summary.ts";
import { type Combination, mostAccurateAt } from "./demo-rates.ts";

/** The same requests as those of a run of processes, counted by second. */
export interface Course {
  readonly arrivalsMs: readonly number[];
  readonly durationMs: number;
  readonly warmUpMs: readonly number[];
  readonly warmUpSeconds: number;
}

/** The surroundings that a course is simulated in. */
export interface CourseSetting extends Pick<SimulationOptions, "model" | "seed"> {
  /** The processes share so many cores; null: they take none of this machine's. */
  readonly machineCores: number | null;
}

/** `variscale up` in the place of KEDA, the HPA and a kubelet: it looks twice a second, and a process starts in about a second. */
const LOCAL_CLUSTER = { syncMs: 500, tolerance: 0, podStartMs: 1200, cooldownMs: 30_000, nodes: null };

/** Simulates `variscale up` under the course. */
export function simulateCourse(
  pipeline: Pipeline,
  { arrivalsMs, durationMs, warmUpMs, warmUpSeconds }: Course,
  { machineCores, seed, model }: CourseSetting,
): SimulationRun {
  const ratesRps = new Float64Array(warmUpSeconds + Math.ceil(durationMs / 1000));
  const count = (second: number): void => {
    ratesRps[second] = (ratesRps[second] ?? 0) + 1;
  };
  for (const atMs of warmUpMs) count(Math.floor(atMs / 1000));
  for (const atMs of arrivalsMs) count(warmUpSeconds + Math.floor(atMs / 1000));
  return simulate({
    pipeline,
    load: { startMs: Date.UTC(2026, 0, 5), ratesRps },
    warmUpSeconds,
    history: [],
    model,
    forecast: "variscale",
    cluster: LOCAL_CLUSTER,
    maxCores: null,
    machineCores,
    timeoutMs: null,
    windowSeconds: 1,
    killEveryMs: null,
    seed,
  });
}

/** Rates from the low load to above the peak, for each of which one combination is the most accurate that serves it. */
const RATES = 24;
const ABOVE_PEAK = 1.5;

/** The combinations of variants that are the most accurate ones for some rate between the low load and somewhat more than the peak. */
export function listCombinations(
  pipeline: Pipeline,
  machineCores: number,
  { lowRps, peakRps }: { readonly lowRps: number; readonly peakRps: number },
): readonly Combination[] {
  const ratio = (ABOVE_PEAK * peakRps) / lowRps;
  const found = new Map<string, Combination>();
  for (let i = 0; i < RATES; i++) {
    const combination = mostAccurateAt(pipeline, machineCores, lowRps * ratio ** (i / (RATES - 1)));
    if (combination) found.set(nameCombination(combination), combination);
  }
  return [...found.values()];
}

/** As many of the combinations as asked for: those with the most effective accuracy under the course, by the simulator. */
export function chooseBySimulation(
  combinations: readonly Combination[],
  count: number,
  simulateFixed: (combination: Combination) => SimulationRun,
): readonly Combination[] {
  return combinations
    .map(combination => ({ combination, effective: summarise(simulateFixed(combination)).effectiveAccuracy }))
    .sort((a, b) => b.effective - a.effective)
    .slice(0, count)
    .map(({ combination }) => combination);
}

export function nameCombination(combination: Combination): string {
  return Object.values(combination).join(" → ");
}
