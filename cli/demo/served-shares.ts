import { findStage, findVariant, type Pipeline } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";

/** By stage and variant, the share of the rows that it served; `a&b`: these variants voted on them. */
export type ServedShares = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Reads what the gateway says of an answer: `detect=small,read=large:0.75+small:0.25`. Empty where nothing was served. */
export function readServed(text: string): ServedShares {
  const stages = text.split(",").filter(pair => pair !== "");
  return Object.fromEntries(
    stages.map(pair => {
      const [stage = "", variants = ""] = pair.split("=");
      const shares = variants.split("+").map(one => one.split(":"));
      return [stage, Object.fromEntries(shares.map(([variant = "", share = "1"]) => [variant, Number(share)]))];
    }),
  );
}

/** The mean of several answers' shares, each stage's over those that have it; the variant of most rows first. */
export function averageShares(all: readonly ServedShares[]): ServedShares {
  const sums = new Map<string, Map<string, number>>();
  for (const [stage, shares] of all.flatMap(one => Object.entries(one))) {
    const ofStage = sums.get(stage) ?? new Map<string, number>();
    sums.set(stage, ofStage);
    for (const [variant, share] of Object.entries(shares)) ofStage.set(variant, (ofStage.get(variant) ?? 0) + share);
  }
  return Object.fromEntries(
    [...sums].map(([stage, ofStage]) => {
      const total = [...ofStage.values()].reduce((sum, share) => sum + share, 0);
      const sorted = [...ofStage].sort(([, a], [, b]) => b - a);
      return [stage, Object.fromEntries(sorted.map(([variant, share]) => [variant, share / total]))];
    }),
  );
}

/** Profiled milliseconds of one row in a variant, or in all that vote. */
function profiledMs(pipeline: Pipeline, stage: string, variant: string): number {
  const profiles = variant.split("&").map(name => {
    const owner = findStage(pipeline, stage);
    return owner && findVariant(owner, name)?.profile;
  });
  return profiles.reduce((sum, profile) => sum + (profile ? serviceMs(profile, 1) : Number.NaN), 0);
}

/** Profiled milliseconds of one row, summed over the stages; NaN where nothing was served. */
export function workMs(pipeline: Pipeline, shares: ServedShares): number {
  const stages = Object.entries(shares).map(([stage, ofStage]) =>
    Object.entries(ofStage).reduce((sum, [variant, share]) => sum + share * profiledMs(pipeline, stage, variant), 0),
  );
  return stages.length === 0 ? Number.NaN : stages.reduce((sum, ms) => sum + ms, 0);
}

/** The share of rows, on average of the stages, that lighter variants served than the heaviest of each stage among `all`. */
export function lighterShare(pipeline: Pipeline, shares: ServedShares, all: ServedShares): number {
  const stages = Object.entries(shares).map(([stage, ofStage]) => {
    const timesMs = Object.keys(all[stage] ?? ofStage).map(variant => profiledMs(pipeline, stage, variant));
    const lighter = Object.entries(ofStage).filter(
      ([variant]) => profiledMs(pipeline, stage, variant) < Math.max(...timesMs),
    );
    return lighter.reduce((sum, [, share]) => sum + share, 0);
  });
  return stages.length === 0 ? Number.NaN : stages.reduce((sum, share) => sum + share, 0) / stages.length;
}

/** As the gateway writes it, without what served less than a twentieth: `large:0.75+small:0.25`. */
export function formatShares(ofStage: ServedShares[string]): string {
  const [first, ...others] = Object.entries(ofStage).filter(([, share]) => share >= 0.05);
  if (!first || others.length === 0) return first?.[0] ?? "";
  return [first, ...others].map(([variant, share]) => `${variant}:${Number(share.toFixed(2))}`).join("+");
}
