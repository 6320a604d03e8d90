import type { Pipeline } from "../../domain/pipeline.ts";
import { throughputRps } from "../../domain/profile.ts";
import type { ReportRow } from "./report.ts";

/** By stage and variant: rows per second of the largest profiled batch over those of batch 1. */
export type BatchGains = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** From this gain on batches pay. */
const PAYS = 1.5;

/** What batches gain by the profiles; variants without one are missing. */
export function batchGains(pipeline: Pipeline): BatchGains {
  return Object.fromEntries(
    pipeline.stages.map(stage => [
      stage.name,
      Object.fromEntries(
        stage.variants.flatMap(({ name, profile }) => {
          const largest = profile?.points.at(-1)?.batch;
          return profile && largest ? [[name, throughputRps(profile, largest) / throughputRps(profile, 1)]] : [];
        }),
      ),
    ]),
  );
}

/**
 * Whether batches were larger at high load than at low load in a stage where they pay by the profile of what it served at high load.
 * `passed` is null where they pay in none: then small batches are right.
 */
export function largerBatches(
  low: ReportRow | undefined,
  high: readonly (ReportRow | undefined)[],
  gains: BatchGains,
): { readonly passed: boolean | null; readonly detail: string } {
  const served = high.flatMap(row =>
    Object.entries(row?.variants ?? {}).map(([stage, variant]) => ({
      name: `${stage} ${variant}`,
      gain: gainOf(gains[stage] ?? {}, variant),
      low: low?.batchRows[stage] ?? Number.NaN,
      high: row?.batchRows[stage] ?? Number.NaN,
    })),
  );
  const paying = served.filter(({ gain }) => gain >= PAYS);
  if (paying.length === 0) {
    const found = [...new Set(served.map(({ name, gain }) => `${name} ${Number.isNaN(gain) ? "–" : gain.toFixed(2)}`))];
    const what = `rows/s of the largest batch over those of batch 1 are below ${PAYS} in what was served at high load`;
    return { passed: null, detail: `not checked, since batches pay in no stage: ${what} (${found.join(", ")})` };
  }
  const larger = paying.filter(stage => stage.high > stage.low);
  const shown = (larger.length > 0 ? larger : paying).map(
    stage => `${stage.name}: ${stage.low.toFixed(2)} rows a batch at low load, ${stage.high.toFixed(2)} at high load`,
  );
  return { passed: larger.length > 0, detail: [...new Set(shown)].join("; ") };
}

/** Of several variants, as in `a+b` while replicas differ, the least; NaN where one is not profiled. */
function gainOf(gains: Readonly<Record<string, number>>, variants: string): number {
  return Math.min(...variants.split("+").map(variant => gains[variant] ?? Number.NaN));
}
