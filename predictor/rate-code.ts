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
