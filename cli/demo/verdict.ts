import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { findStage, findVariant } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import type { ReportRow } from "./report.ts";

/** One thing that the demo must have shown; behaviour, never speed. */
export interface Check {
  readonly name: string;
  /** Null: it can't be judged, since the machine did not keep its speed or the run was too short. */
  readonly passed: boolean | null;
  readonly detail: string;
}

export const SCENARIOS = ["variscale", "always heaviest", "always lightest"] as const;

/** Load and SLO fit the speed that was measured at first. A machine that was so much faster or slower later on was another machine. */
const STEADY = 1.4;

/**
 * What the rows of the three scenarios must show.
 *
 * @param speedFactors of the machine, measured at first and between scenarios.
 * @param short the load rises within two rounds of the loop, and 150 requests can't tell accuracies apart that differ by some points.
 */
export function checks(
  rows: readonly ReportRow[],
  pipeline: Pipeline,
  phases: { readonly low: string; readonly peak: string } | null,
  { speedFactors, short }: { readonly speedFactors: readonly number[]; readonly short: boolean },
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
  const gains = [better(ours, heaviest), better(ours, lightest)];
  const compared: Check[] = [
    { name: "variants were switched while serving", passed: ours.switches > 0, detail: `${ours.switches} switches` },
    ...(short ? gains.map(check => openWhereFailed(check, "a short run can't tell")) : gains),
  ];
  if (phases) compared.push(heavierAtLow(rows, pipeline, phases));
  if (Math.max(...speedFactors) <= STEADY * Math.min(...speedFactors)) return [nothingLost, ...compared];
  const factors = speedFactors.map(factor => factor.toFixed(2)).join(", ");
  const why = `this machine did not keep its speed (speed factors ${factors}): run it again when nothing else is busy`;
  return [nothingLost, ...compared.map(check => openWhereFailed(check, why))];
}

function openWhereFailed(check: Check, why: string): Check {
  return check.passed === false ? { ...check, passed: null, detail: `${check.detail}; ${why}` } : check;
}

function better(ours: ReportRow, other: ReportRow): Check {
  const text = (value: number) => `${(100 * value).toFixed(1)} %`;
  return {
    name: `more effective accuracy than ${other.scenario}`,
    passed: ours.effectiveAccuracy > other.effectiveAccuracy,
    detail: `${text(ours.effectiveAccuracy)} against ${text(other.effectiveAccuracy)} of all requests right and within the SLO`,
  };
}

function heavierAtLow(
  rows: readonly ReportRow[],
  pipeline: Pipeline,
  phases: { readonly low: string; readonly peak: string },
): Check {
  const of = (phase: string) => rows.find(row => row.scenario === SCENARIOS[0] && row.phase === phase);
  const low = of(phases.low);
  const peak = of(phases.peak);
  const workOf = (row: ReportRow | undefined) =>
    pipeline.stages.reduce(
      (sum, stage) => sum + stageWork(findStage(pipeline, stage.name), row?.variants[stage.name] ?? ""),
      0,
    );
  const show = (row: ReportRow | undefined) => Object.values(row?.variants ?? {}).join(" → ");
  return {
    name: "heavier variants at low load than at high load",
    passed: workOf(low) > workOf(peak),
    detail: `${show(low)} at low load, ${show(peak)} at the peak`,
  };
}

/** Profiled time of one row; where two variants were served at once, of the heavier one. */
function stageWork(stage: Stage | undefined, variants: string): number {
  const times = variants.split("+").map(name => {
    const profile = stage && findVariant(stage, name)?.profile;
    return profile ? serviceMs(profile, 1) : 0;
  });
  return Math.max(0, ...times);
}
