import { mainPart } from "../../domain/configuration.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { findStage, type Pipeline, type Stage, type Variant } from "../../domain/pipeline.ts";
import type { Plan } from "../../domain/plan.ts";
import { serviceMs } from "../../domain/profile.ts";
import { optimize } from "../../optimizer/optimize.ts";

/** The variant of every stage. */
export type Combination = Readonly<Record<string, string>>;

/** The variant of every stage with the longest, or the shortest, service time, or the one in the middle. */
export function pickVariants(pipeline: Pipeline, which: "heaviest" | "middle" | "lightest"): Combination {
  const pick = { heaviest: heaviestVariant, middle: middleVariant, lightest: lightestVariant }[which];
  return Object.fromEntries(pipeline.stages.map(stage => [stage.name, pick(stage)]));
}

export function heaviestVariant(stage: Stage): string {
  return byServiceTime(stage).at(-1)?.name ?? stage.defaultVariant;
}

function middleVariant(stage: Stage): string {
  const variants = byServiceTime(stage);
  return variants[variants.length >> 1]?.name ?? stage.defaultVariant;
}

function lightestVariant(stage: Stage): string {
  return byServiceTime(stage)[0]?.name ?? stage.defaultVariant;
}

function byServiceTime(stage: Stage): readonly Variant[] {
  const timeOf = (variant: Variant): number => (variant.profile ? serviceMs(variant.profile, 1) : 0);
  return stage.variants.filter(variant => variant.profile).sort((a, b) => timeOf(a) - timeOf(b));
}

/** Accuracy decides alone; smaller batches only between plans that are equally accurate. */
const MOST_ACCURATE = { accuracy: 1, cost: 0, batch: 1e-9, switch: 0 };

/** The most accurate plan for a rate on this machine, with one variant of each stage: these, where some are given. */
function planAt(pipeline: Pipeline, machineCores: number, rateRps: number, variants: Combination = {}): Plan {
  return optimize({
    pipeline: { ...pipeline, objective: { ...pipeline.objective, policy: "default" } },
    rateRps,
    current: null,
    corrections: {},
    excluded: {},
    pins: Object.entries(variants).map(([stage, variant]) => ({ stage, variant, batch: null, replicas: null })),
    limits: { cores: null, machineCores },
    bounds: {},
    combine: {},
    weights: MOST_ACCURATE,
    runnerUp: false,
  });
}

/** The most accurate combination of variants that serves a rate within the SLO on this machine; null: none does. */
export function mostAccurateAt(pipeline: Pipeline, machineCores: number, rateRps: number): Combination | null {
  const { feasible, stages } = planAt(pipeline, machineCores, rateRps);
  return feasible ? Object.fromEntries(stages.map(stage => [stage.stage, mainPart(stage)?.variant ?? ""])) : null;
}

/** Highest entry rate that these variants serve within the SLO on this machine. */
export function findCapacityRps(pipeline: Pipeline, machineCores: number, variants: Combination): number {
  const isFeasible = (rateRps: number): boolean => planAt(pipeline, machineCores, rateRps, variants).feasible;
  let low = 0;
  let high = 1;
  while (isFeasible(high) && high < 1e6) high *= 2;
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (isFeasible(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** With fewer requests than this there is nothing to see within a demo. */
const MIN_CAPACITY_RPS = 0.1;

/** Of the machine that the gateway may need for itself at the peak. */
const GATEWAY_SHARE = 0.8;

/** The peak is at least so many times what the heaviest variants serve, or nobody would see why to switch. */
const DROWNING = 1.2;

export interface DemoRates {
  readonly lowRps: number;
  readonly peakRps: number;
  readonly heaviestCapacityRps: number;
  readonly lightestCapacityRps: number;
  /** The gateway has enough of the machine for so many requests a second. */
  readonly gatewayRps: number;
}

/**
 * Loads as shares of this machine's measured capacity, so that a slow machine plays the same story as a fast one.
 *
 * @throws failed_precondition where the heaviest variants can't serve any load within the SLO, or the lightest hardly more.
 */
export function demoRates(pipeline: Pipeline, machineCores: number): DemoRates {
  const heaviestCapacityRps = findCapacityRps(pipeline, machineCores, pickVariants(pipeline, "heaviest"));
  const lightestCapacityRps = findCapacityRps(pipeline, machineCores, pickVariants(pipeline, "lightest"));
  if (heaviestCapacityRps < MIN_CAPACITY_RPS)
    throw new VariscaleError(
      "failed_precondition",
      `${machineCores} cores of this machine can't serve the heaviest variants within ${pipeline.slo.latencyMs} ms, so there is nothing to compare with. Give it more by --cores, or close what else is running.`,
    );
  // Low enough that the heaviest variants have a reserve at low load, high enough that they drown at the peak; and far enough from
  // what the lightest ones can do that this machine's other work does not decide.
  const lowRps = 0.4 * heaviestCapacityRps;
  const far = Math.min(3 * heaviestCapacityRps, 0.35 * lightestCapacityRps);
  const near = Math.min(1.5 * heaviestCapacityRps, 0.6 * lightestCapacityRps);
  const gatewayRps = (GATEWAY_SHARE * machineCores * 1000) / pipeline.overhead.cpuMs;
  const peakRps = Math.min(gatewayRps, Math.max(2 * lowRps, far, near));
  if (peakRps < DROWNING * heaviestCapacityRps)
    throw new VariscaleError(
      "failed_precondition",
      `on this machine the heaviest variants serve ${heaviestCapacityRps.toFixed(0)} rps within the SLO, the lightest ${lightestCapacityRps.toFixed(0)} rps and the gateway beside them ${gatewayRps.toFixed(0)} rps: there is no load that only lighter variants carry. The variants are too light, or too alike, for this demo.`,
    );
  return { lowRps, peakRps, heaviestCapacityRps, lightestCapacityRps, gatewayRps };
}

/** `stage=variant` pairs that fix every stage's variant, for --set. */
export function staticOverrides(pipeline: Pipeline, variants: Combination): string[] {
  const index = (name: string) => pipeline.stages.findIndex(stage => stage.name === name);
  const defaults = Object.entries(variants)
    .filter(([stage]) => findStage(pipeline, stage))
    .map(([stage, variant]) => `spec.stages[${index(stage)}].defaultVariant=${variant}`);
  return ["spec.objective.policy=static", "spec.serving.rule=fixed", ...defaults];
}
