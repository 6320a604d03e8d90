import { type BatchGains, largerBatches } from "./batch-check.ts";
import type { ReportRow } from "./report.ts";

/** One thing that the demo must have shown; behaviour, never speed. */
export interface Check {
  readonly name: string;
  /** Null: it can't be judged, since the machine did not keep its speed, the run was too short or there is nothing to judge. */
  readonly passed: boolean | null;
  readonly detail: string;
}

export const SCENARIOS = ["variscale", "always heaviest", "always lightest"] as const;

/** Load and SLO fit the speed that was measured at first. A machine that was so much faster or slower later on was another machine. */
const STEADY = 1.4;

const SHORT = "a short run can't tell";

/** The phases of low and of high load; of several high ones, the one with the lightest variants counts. */
export interface ComparedPhases {
  readonly low: string;
  readonly high: readonly string[];
}

/**
 * What the rows of the three scenarios must show.
 *
 * @param speedFactors of the machine, measured at first and between scenarios.
 * @param gains of batches, by the profiles.
 * @param short the load rises within two rounds of the loop, and 150 requests can't tell accuracies apart that differ by some points:
 *   what is lost and that variants were switched is judged, comparisons are open where they are not won.
 */
export function checks(
  rows: readonly ReportRow[],
  phases: ComparedPhases | null,
  {
    speedFactors,
    gains,
    short,
  }: { readonly speedFactors: readonly number[]; readonly gains: BatchGains; readonly short: boolean },
): Check[] {
  const whole = (scenario: string) => rows.find(row => row.scenario === scenario && row.phase === "whole run");
  const ours = whole(SCENARIOS[0]);
  const heaviest = whole(SCENARIOS[1]);
  const lightest = whole(SCENARIOS[2]);
  if (!ours || !heaviest || !lightest)
    return [{ name: "all scenarios were played", passed: false, detail: "a scenario has no rows" }];
  const nothingLost = {
    name: "nothing lost",
    passed: ours.lost === 0,
    detail: `${ours.lost} of ${ours.offered} requests had no answer, through ${ours.switches} switches`,
  };
  const better = [moreEffective(ours, heaviest), moreEffective(ours, lightest)];
  const compared: Check[] = [
    { name: "variants were switched while serving", passed: ours.switches > 0, detail: `${ours.switches} switches` },
    ...(short ? better.map(check => openWhereFailed(check, SHORT)) : better),
  ];
  if (phases)
    for (const check of [heavierAtLow(rows, phases), largerAtHigh(rows, phases, gains)])
      compared.push(short ? openWhereFailed(check, SHORT) : check);
  if (Math.max(...speedFactors) <= STEADY * Math.min(...speedFactors)) return [nothingLost, ...compared];
  const factors = speedFactors.map(factor => factor.toFixed(2)).join(", ");
  const why = `this machine did not keep its speed (speed factors ${factors}): run it again when nothing else is busy`;
  return [nothingLost, ...compared.map(check => openWhereFailed(check, why))];
}

function openWhereFailed(check: Check, why: string): Check {
  return check.passed === false ? { ...check, passed: null, detail: `${check.detail}; ${why}` } : check;
}

function moreEffective(ours: ReportRow, other: ReportRow): Check {
  const text = (value: number) => `${(100 * value).toFixed(1)} %`;
  return {
    name: `more effective accuracy than ${other.scenario}`,
    passed: ours.effectiveAccuracy > other.effectiveAccuracy,
    detail: `${text(ours.effectiveAccuracy)} against ${text(other.effectiveAccuracy)} of all requests right and within the SLO`,
  };
}

function rowOf(rows: readonly ReportRow[], phase: string): ReportRow | undefined {
  return rows.find(row => row.scenario === SCENARIOS[0] && row.phase === phase);
}

function largerAtHigh(rows: readonly ReportRow[], phases: ComparedPhases, gains: BatchGains): Check {
  const high = phases.high.map(phase => rowOf(rows, phase));
  return {
    name: "larger batches at high load than at low load, where they pay",
    ...largerBatches(rowOf(rows, phases.low), high, gains),
  };
}

function heavierAtLow(rows: readonly ReportRow[], phases: ComparedPhases): Check {
  const workMs = (row: ReportRow | undefined) => row?.workMs ?? Number.NaN;
  const low = rowOf(rows, phases.low);
  const high = phases.high
    .map(phase => rowOf(rows, phase))
    .reduce((least, row) => (workMs(row) < workMs(least) ? row : least));
  const show = (row: ReportRow | undefined) =>
    `${Object.values(row?.variants ?? {}).join(" → ")} (${workMs(row).toFixed(1)} ms of work)`;
  return {
    name: "heavier variants at low load than at high load",
    passed: workMs(low) > workMs(high),
    detail: `${show(low)} at low load, ${show(high)} at high load`,
  };
}
