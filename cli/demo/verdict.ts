import { percent, points } from "../../explanation/number-text.ts";
import type { ReportRow } from "./report.ts";
import { isEffective, type RequestRecord } from "./request-record.ts";

/** One thing that the demo must have shown; behaviour, never speed. */
export interface Check {
  readonly name: string;
  /** A check is null where it can't be judged, since the machine did not keep its speed. */
  readonly passed: boolean | null;
  readonly detail: string;
}

/** Load and SLO fit the speed that was measured at first. A machine that was so much faster or slower later on was another machine. */
const STEADY = 1.4;

/** The phases of low and of high load. */
export interface ComparedPhases {
  readonly low: string;
  readonly high: string;
}

/**
 * Checks what the rows of variscale must show: nothing is lost, and its variants serve. How accurate it was is no check.
 *
 * @param phases null for a load of the user's.
 * @param speedFactors of the machine, measured at first and after each scenario.
 */
export function checkBehaviour(
  rows: readonly ReportRow[],
  phases: ComparedPhases | null,
  speedFactors: readonly number[],
): Check[] {
  const findRow = (phase: string): ReportRow | undefined => rows.find(row => row.phase === phase);
  const whole = findRow("whole run");
  const isSteady = Math.max(...speedFactors) <= STEADY * Math.min(...speedFactors);
  const factors = speedFactors.map(factor => factor.toFixed(2)).join(", ");
  const unsteady = isSteady ? null : `speed factors ${factors}`;
  const judge = (name: string, passed: boolean, detail: string, otherSpeed = unsteady): Check =>
    passed || otherSpeed === null
      ? { name, passed, detail }
      : {
          name,
          passed: null,
          detail: `${detail}; this machine did not keep its speed (${otherSpeed}): run it again when nothing else is busy`,
        };
  const nothingLost = {
    name: "nothing lost",
    passed: whole?.lost === 0,
    detail: `${whole?.lost ?? "all"} of ${whole?.offered ?? "all"} requests had no answer`,
  };
  const severalServed = judge(
    "several variants of a stage served",
    countMost(whole) > 1,
    `rows by variant in the whole run: ${describeServed(whole)}`,
  );
  if (!phases) return [nothingLost, severalServed];
  const [low, high] = [findRow(phases.low), findRow(phases.high)];
  const mostWorkMs = Math.max(...rows.map(({ workMs }) => workMs || 0));
  const slowAtLow = low && findSlowness(low, mostWorkMs);
  const workOf = (row: ReportRow | undefined) => row?.workMs ?? Number.NaN;
  return [
    nothingLost,
    severalServed,
    judge(
      "lighter variants served at high load",
      (high?.lighterShare ?? 0) > 0,
      `${percent(high?.lighterShare ?? Number.NaN)} of the rows: ${describeServed(high)}`,
    ),
    judge(
      "heavier variants at low load than at high load",
      workOf(low) > workOf(high),
      `${workOf(low).toFixed(1)} ms of work a row at low load (${describeServed(low)}), ${workOf(high).toFixed(1)} ms at high load`,
      slowAtLow ?? unsteady,
    ),
  ];
}

/**
 * Heavy variants serve a low load only while their batches take what was measured, and nothing else keeps replicas from what is planned. That is
 * taken for the machine's doing only where replicas did serve clearly heavier ones in some phase than at low load.
 */
function findSlowness({ slowdown, plannedMs, workMs }: ReportRow, mostWorkMs: number): string | null {
  if (slowdown > STEADY) return `batches took ${slowdown.toFixed(1)} times as long at low load as before`;
  if (!(STEADY * workMs < plannedMs) || mostWorkMs < STEADY * workMs) return null;
  return `${plannedMs.toFixed(1)} ms of work a row were planned at low load, and replicas had no time for that`;
}

function countMost(row: ReportRow | undefined): number {
  return Math.max(0, ...Object.values(row?.variants ?? {}).map(shares => Object.keys(shares).length));
}

function describeServed(row: ReportRow | undefined): string {
  const stages = Object.entries(row?.variants ?? {}).map(([stage, shares]) => {
    const variants = Object.entries(shares).map(([variant, share]) => `${variant} ${percent(share)}`);
    return `${stage} ${variants.join(", ")}`;
  });
  return stages.join("; ") || "nothing was served";
}

/** How far the effective accuracy of one run is above another's. */
export interface Comparison {
  readonly against: string;
  /** From −1 to 1. */
  readonly difference: number;
  /** NaN for fewer than two blocks. */
  readonly standardError: number;
  readonly blocks: number;
  /** Whether it is more than two standard errors below. */
  readonly isBelow: boolean;
}

/** Requests that are nearer to each other than this share queues, and so their luck. */
const BLOCK_MS = 5000;

/** Compares two runs of the same arrivals, request by request; the standard error is clustered by blocks of time. */
export function compareRuns(
  ours: readonly RequestRecord[],
  against: string,
  others: readonly RequestRecord[],
  sloMs: number,
): Comparison {
  const effective = new Map(others.map(record => [record.atMs, Number(isEffective(record, sloMs))]));
  const blocks = new Map<number, { sum: number; count: number }>();
  let [sum, count] = [0, 0];
  for (const record of ours) {
    const other = effective.get(record.atMs);
    if (other === undefined) continue;
    const difference = Number(isEffective(record, sloMs)) - other;
    const at = Math.floor(record.atMs / BLOCK_MS);
    const block = blocks.get(at) ?? { sum: 0, count: 0 };
    blocks.set(at, { sum: block.sum + difference, count: block.count + 1 });
    sum += difference;
    count += 1;
  }
  const mean = sum / count;
  const squares = [...blocks.values()].reduce((all, block) => all + (block.sum - block.count * mean) ** 2, 0);
  const correction = blocks.size > 1 ? blocks.size / (blocks.size - 1) : Number.NaN;
  const standardError = Math.sqrt(correction * squares) / count;
  return { against, difference: mean, standardError, blocks: blocks.size, isBelow: mean < -2 * standardError };
}

/** The comparison as one line. */
export function formatComparison({ against, difference, standardError, blocks, isBelow }: Comparison): string {
  const error = `standard error ${percent(standardError).replace(" %", "")}, paired by request, ${blocks} blocks of ${BLOCK_MS / 1000} s`;
  const isFar = Math.abs(difference) > 2 * standardError;
  const verdict = isFar
    ? `more than two standard errors ${isBelow ? "below" : "above"} it`
    : "not more than two standard errors below it";
  return `variscale against ${against}: ${points(difference)} of effective accuracy (${error}): ${verdict}`;
}
