import { seededRandom } from "../load/seeded-random.ts";

const RESAMPLES = 2000;
const SEED = 1;

/** A ratio of two means, and the interval that 95 % of its resamples lie in. */
export interface RatioInterval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How much smaller the losses of one forecaster are than those of another at the same origins: the ratio of their means with a 95 %
 * interval by the circular block bootstrap (Politis and Romero, 1992), whose blocks keep together what depends on each other:
 * neighbouring origins and both forecasters. Null: there are no losses, or none to divide by. Seeded: the same losses give the same interval.
 *
 * @param blockLength origins in a block; at most as many as there are.
 */
export function ratioInterval(losses: Float64Array, against: Float64Array, blockLength: number): RatioInterval | null {
  const { length } = losses;
  const [sums, againstSums] = [runningSums(losses), runningSums(against)];
  const total = againstSums.at(-1) ?? 0;
  if (length === 0 || total === 0) return null;
  const block = Math.min(Math.max(Math.round(blockLength), 1), length);
  const blocks = Math.ceil(length / block);
  const random = seededRandom(SEED);
  const ratios = new Float64Array(RESAMPLES);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    let [above, below] = [0, 0];
    for (let k = 0; k < blocks; k++) {
      const from = Math.floor(random() * length);
      above += circularSum(sums, from, block);
      below += circularSum(againstSums, from, block);
    }
    ratios[resample] = below > 0 ? above / below : Number.POSITIVE_INFINITY;
  }
  ratios.sort();
  const at = (share: number): number => ratios[Math.round(share * (RESAMPLES - 1))] ?? 0;
  return { ratio: (sums.at(-1) ?? 0) / total, low: at(0.025), high: at(0.975) };
}

/** `sums[i]` is the sum of the first i values. */
function runningSums(values: Float64Array): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = (sums[i] ?? 0) + (values[i] ?? 0);
  return sums;
}

/** Of `count` values from `from` on, the first one after the last. */
function circularSum(sums: Float64Array, from: number, count: number): number {
  const length = sums.length - 1;
  const to = from + count;
  if (to <= length) return (sums[to] ?? 0) - (sums[from] ?? 0);
  return (sums[length] ?? 0) - (sums[from] ?? 0) + (sums[to - length] ?? 0);
}
