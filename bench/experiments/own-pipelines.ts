import { join } from "node:path";
import { measuredPart } from "../../cli/simulate/measured-part.ts";
import { pastOf } from "../../cli/simulate/past.ts";
import { fanOutOf, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { throughputRps } from "../../domain/profile.ts";
import { scaleLoad } from "../../load/scale-load.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import type { ExperimentLoad } from "./ipa-loads.ts";

/** Those that come with variscale. */
export const OWN_PIPELINES = ["id-card", "video", "audio", "question-answering"] as const;

/** Replicas of the busiest stage, with its heaviest variant, that the mean of a load takes. */
export const BUSY_REPLICAS = 4;

export function folderOf(name: string): string {
  return join(packageFolder, "pipelines", name);
}

export function ownPipeline(name: string): Pipeline {
  return measuredPart(readPipeline(folderOf(name)), name).pipeline;
}

/** Heaviest last. */
export function byLatency({ variants }: Stage): Stage["variants"] {
  const firstMs = ({ profile }: Stage["variants"][number]): number => profile?.points[0]?.latencyMs ?? 0;
  return variants.toSorted((a, b) => firstMs(a) - firstMs(b));
}

/**
 * The load made larger or smaller, with what lay before it, so that it is as hard for every pipeline: models that take 1 ms and models that
 * take 100 ms. The forecaster has been through the day before with the network that comes with variscale.
 */
export async function fittedLoad(
  pipeline: Pipeline,
  { name, load, before }: ExperimentLoad,
  seed: number,
): Promise<ExperimentLoad> {
  const rates = load.ratesRps.filter(rate => !Number.isNaN(rate));
  const meanRps = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length);
  const factor = (BUSY_REPLICAS * heaviestRps(pipeline)) / meanRps;
  const earlier = scaleLoad(before, factor, seed);
  return { name, load: scaleLoad(load, factor, seed), before: earlier, past: await pastOf(earlier, null) };
}

/** Requests a second that one replica a stage carries with the heaviest variants, one row at a time. */
function heaviestRps({ stages }: Pipeline): number {
  const rows = new Map<string, number>();
  let least = Number.POSITIVE_INFINITY;
  for (const stage of stages) {
    const upstream = stages.find(({ name }) => name === stage.upstream);
    const before = upstream ? (rows.get(upstream.name) ?? 1) : 1;
    const own = before * fanOutOf(stage, (upstream && byLatency(upstream).at(-1)?.name) ?? null);
    rows.set(stage.name, own);
    const profile = byLatency(stage).at(-1)?.profile;
    if (profile && own > 0) least = Math.min(least, throughputRps(profile, 1) / own);
  }
  return least;
}
