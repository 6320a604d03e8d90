import type { Pipeline } from "../../domain/pipeline.ts";
import { throughputRps } from "../../domain/profile.ts";
import type { ReportRow } from "./report.ts";

interface BatchGain {
  /** Rows per second of the largest profiled batch over those of batch 1. */
  readonly gain: number;
  /** That batch, in rows. */
  readonly largest: number;
}

/** By stage and variant. */
export type BatchGains = Readonly<Record<string, Readonly<Record<string, BatchGain>>>>;

/** From this gain on batches pay. */
const PAYS = 1.5;
/** Batches are larger from so many times the rows on: what is less may be chance. */
const LARGER = 1.1;

/** What batches gain by the profiles; variants without one are missing. */
export function batchGains(pipeline: Pipeline): BatchGains {
  return Object.fromEntries(
    pipeline.stages.map(stage => [
      stage.name,
      Object.fromEntries(
        stage.variants.flatMap(({ name, profile }) => {
          const largest = profile?.points.at(-1)?.batch;
          return profile && largest
            ? [[name, { gain: throughputRps(profile, largest) / throughputRps(profile, 1), largest }]]
            : [];
        }),
      ),
    ]),
  );
}

/**
 * Whether batches were larger at high load than at low load in a stage where they pay by the profile of what it served at high load.
 * `passed` is null where they pay in none: then small batches are right; and where low load has filled the largest profiled ones, as it does
 * where a request has many rows.
 */
export function largerBatches(
  low: ReportRow | undefined,
  high: readonly (ReportRow | undefined)[],
  gains: BatchGains,
): { readonly passed: boolean | null; readonly detail: string } {
  const served = high.flatMap(row =>
    Object.entries(row?.variants ?? {}).map(([stage, variant]) => ({
      name: `${stage} ${variant}`,
      ...gainOf(gains[stage] ?? {}, variant),
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
  const shown = (stages: typeof paying) =>
    [
      ...new Set(
        stages.map(
          ({ name, low, high }) =>
            `${name}: ${low.toFixed(2)} rows a batch at low load, ${high.toFixed(2)} at high load`,
        ),
      ),
    ].join("; ");
  const larger = paying.filter(stage => stage.high >= LARGER * stage.low);
  if (larger.length > 0) return { passed: true, detail: shown(larger) };
  if (paying.every(({ low, largest }) => LARGER * low > largest))
    return { passed: null, detail: `not checked, since batches are full at low load: ${shown(paying)}` };
  return { passed: false, detail: shown(paying) };
}

/** Of several variants, as in `a+b` while replicas differ, the least gain and the largest batch; NaN where one is not profiled. */
function gainOf(gains: Readonly<Record<string, BatchGain>>, variants: string): BatchGain {
  const all = variants.split("+").map(variant => gains[variant] ?? { gain: Number.NaN, largest: Number.NaN });
  return { gain: Math.min(...all.map(one => one.gain)), largest: Math.max(...all.map(one => one.largest)) };
}
