import { MAX_RATE_RPS } from "../domain/load.ts";

/** Missing. An array that was never written to has nothing but missing rates. */
export const NO_RATE = 0;
const LARGEST_CODE = 0xffff;
const STEP = Math.log1p(MAX_RATE_RPS) / (LARGEST_CODE - 1);
const RATES = Float32Array.from({ length: LARGEST_CODE + 1 }, (_, code) =>
  code === NO_RATE ? Number.NaN : Math.expm1((code - 1) * STEP),
);

/** A rate in rps, or NaN, in 16 bits: in even steps of log(1 + rate), so that it is kept to 0.0125 % of 1 + rate. */
export function encodeRate(rateRps: number): number {
  if (Number.isNaN(rateRps)) return NO_RATE;
  return 1 + Math.round(Math.log1p(Math.min(Math.max(rateRps, 0), MAX_RATE_RPS)) / STEP);
}

/** In rps; NaN: missing. */
export function decodeRate(code: number): number {
  return RATES[code] as number;
}

const LARGEST_RISE = 0xff;
/** The highest of a minute's seconds is at most 60 times their mean. */
const RISE_STEP = Math.log(60) / STEP / LARGEST_RISE ** 2;
const RISES = Uint16Array.from({ length: LARGEST_RISE + 1 }, (_, rise) => Math.round(RISE_STEP * rise ** 2));

/** How far the code of a highest rate is above that of its mean, in 8 bits: to 0.7 % of 1 + rate at twice the mean, to 1.6 % at 60 times. */
export function encodeRise(meanCode: number, highestCode: number): number {
  const rise = Math.round(Math.sqrt(Math.max(highestCode - meanCode, 0) / RISE_STEP));
  return Math.min(rise, LARGEST_RISE);
}

/** The code of the highest rate. */
export function decodeRise(meanCode: number, rise: number): number {
  if (meanCode === NO_RATE) return NO_RATE;
  return Math.min(meanCode + (RISES[rise] as number), LARGEST_CODE);
}
