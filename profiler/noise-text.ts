import type { Noise } from "../domain/profile-schema.ts";
import { AGREEMENT, AGREEMENT_MS } from "./settled-time.ts";

/** Named one by one; of more than these the number. */
const MOST_NAMED = 8;

/**
 * What was noisy, where, and what to do.
 *
 * @param disturbance how much longer runs took than on free cores, at worst. @param cacheFile null: the next run measures all anew.
 */
export function noiseText(noise: readonly Noise[], disturbance: number, cacheFile: string | null): string {
  const named = noise.slice(0, MOST_NAMED).map(noisyPoint);
  if (noise.length > MOST_NAMED) named.push(`${noise.length - MOST_NAMED} more`);
  const kept = cacheFile === null ? "" : ": it measures these variants anew and keeps all else, accuracies too";
  return [
    `the machine was too noisy, nothing was written. No two windows agree within ${100 * AGREEMENT} % and ${AGREEMENT_MS} ms about ${named.join(", ")}.`,
    ...(disturbance >= 1.05 ? [`Runs took up to ${disturbance.toFixed(1)} times as long as on free cores.`] : []),
    `End what else uses this machine, or wait, and run the same command again${kept}.`,
    "More time (`--window-ms`) evens out short disturbances; `--accept-noise` writes all the same, and the file says so.",
  ].join(" ");
}

/** One batch size of one variant, with how far apart its windows are, or why they confirm nothing though they agree. */
export function noisyPoint({ stage, variant, cores, batch, spread }: Noise): string {
  const on = cores === undefined ? "" : ` on ${cores} cores`;
  const why = spread > AGREEMENT ? `${(100 * spread).toFixed(0)} % apart` : "its threads waited for cores";
  return `${stage}/${variant}${on} at batch ${batch} (${why})`;
}
