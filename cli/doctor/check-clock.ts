import type { ClockReading } from "./clock-reading.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Load is counted by the second, and what is planned from it is at most some seconds old. */
const WARN_MS = 2000;
/** KEDA's waits and fresh certificates go wrong. */
const FAIL_MS = 60_000;
const FIX = "let both follow a time server: see chronyc tracking, or timedatectl";

/** Whether a clock agrees with another one. @param other whose it is held against: `this machine's`. */
export function checkClock(reading: ClockReading | null, where: string, other: string): readonly Finding[] {
  if (reading === null) return [];
  const ms = Math.abs(reading.aheadMs);
  // What is certain of it.
  const leastMs = ms - reading.uncertainMs;
  const seconds = (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);
  if (leastMs <= WARN_MS) {
    const within = (Math.max(ms, reading.uncertainMs) / 1000).toFixed(1);
    return [ok("clock", where, `its clock agrees with ${other} within ${within} s`)];
  }
  const what = `its clock is ${seconds} s ${reading.aheadMs > 0 ? "ahead of" : "behind"} ${other}`;
  if (leastMs <= FAIL_MS) return [warn("clock", where, `${what}: load, waits and ages are off by as much`, FIX)];
  return [fail("clock", where, `${what}: load seems old or to come, and certificates invalid`, FIX)];
}
