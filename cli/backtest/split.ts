import { VariscaleError } from "../../domain/errors.ts";
import { isDated, type LoadTrace } from "../../load/load-trace.ts";
import { rowTimeMs } from "../../load/row-time.ts";
import { durationSeconds } from "../options.ts";

/**
 * Where the test begins, as second of the trace: a share of it (`0.67`), a time from its start (`14d`) or a date.
 *
 * @throws VariscaleError invalid_argument when it is none of these, or nothing is left on one side.
 */
export function splitSecond(text: string, trace: LoadTrace): number {
  const seconds = trace.ratesRps.length;
  if (/^\d{4}-/.test(text) && !isDated(trace))
    throw new VariscaleError(
      "invalid_argument",
      `--split ${text}: the load has no dates: split it at a share as 0.67, or a time from its start as 14d`,
    );
  const second = Math.round(secondsOf(text, trace));
  if (second > 0 && second < seconds) return second;
  throw new VariscaleError(
    "invalid_argument",
    Number.isNaN(second)
      ? `--split ${text}: must be a share as 0.67, a time from the start as 14d, or a date as 2026-01-31T12:00:00Z`
      : `--split ${text} is at second ${second} of a load of ${seconds}: nothing is left on one side; split within it`,
  );
}

function secondsOf(text: string, trace: LoadTrace): number {
  if (/^0?\.\d+$/.test(text)) return Number(text) * trace.ratesRps.length;
  if (/^\d{4}-/.test(text)) return (rowTimeMs(text, null) - trace.startMs) / 1000;
  return durationSeconds(text);
}
