/** Misses that could have been avoided: requests that were not in time, although the lightest variants on all cores would have been. */
import { pickVariants } from "../../cli/demo/demo-rates.ts";
import { findVariant, type Pipeline } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import { countRows, type ServiceFactors } from "./clairvoyant.ts";

/** How long the lightest variants take for a request, one stage after the other on one core. */
export interface LightestService {
  readonly busyMs: number;
  /** The time beside that in which no core is busy. */
  readonly idleMs: number;
}

export function describeLightest(pipeline: Pipeline, factors: ServiceFactors): LightestService {
  const variants = pickVariants(pipeline, "lightest");
  const rowsByStage = countRows(pipeline, variants);
  let busyMs = pipeline.overhead.cpuMs;
  for (const stage of pipeline.stages) {
    const rows = rowsByStage[stage.name] ?? 0;
    const profile = findVariant(stage, variants[stage.name] ?? "")?.profile;
    if (profile) busyMs += stage.cores * (factors[stage.name] ?? 1) * serviceMs(profile, Math.max(1, rows));
  }
  return { busyMs, idleMs: Math.max(0, pipeline.overhead.latencyMs - pipeline.overhead.cpuMs) };
}

/**
 * Serves each request with the lightest variants on the core that is free first, in the order of the arrivals. One that would be late is not served,
 * and takes nothing from the others.
 */
export function serveByLightest(
  arrivalsMs: readonly number[],
  { busyMs, idleMs }: LightestService,
  { cores, sloMs }: { readonly cores: number; readonly sloMs: number },
): readonly boolean[] {
  const freeMs = new Array<number>(Math.max(1, Math.floor(cores))).fill(0);
  return arrivalsMs.map(atMs => {
    const core = freeMs.indexOf(Math.min(...freeMs));
    const endMs = Math.max(atMs, freeMs[core] ?? 0) + busyMs;
    if (endMs + idleMs - atMs > sloMs) return false;
    freeMs[core] = endMs;
    return true;
  });
}

/** In percent of all requests; `inTime` has a `1` for each that was answered within the SLO. */
export function countAvoidable(inTime: string, byLightest: readonly boolean[]): number {
  const avoidable = byLightest.filter((isInTime, at) => isInTime && inTime[at] !== "1");
  return (100 * avoidable.length) / byLightest.length;
}
