import type { Variant } from "../domain/pipeline.ts";
import { type AgentLimits, allowedQuantiles } from "./limits.ts";
import { rounded, summaryOf } from "./plan-summary.ts";
import { bounded, MOST_NAME } from "./quoted.ts";
import type { Situation } from "./situation.ts";

/** More stages, and more variants of one, are left out and counted. */
const MOST_STAGES = 20;
const MOST_VARIANTS = 12;

/** A situation as a model is shown it: a few kilobytes, names bounded. */
export function shownState(situation: Situation, limits: AgentLimits): unknown {
  const { pipeline, mode, load, plan, tuning, pins, bounds } = situation;
  const { weights, minAccuracy, maxCores, maxCostPerHour, utilisation, policy } = pipeline.objective;
  const shown = pipeline.stages.slice(0, MOST_STAGES);
  return {
    mode,
    loadRps: load?.rateRps ?? null,
    objective: { policy, weights },
    constraints: {
      slo: pipeline.slo,
      minAccuracy: minAccuracy ?? null,
      maxCores: situation.limits.cores ?? maxCores ?? null,
      machineCores: situation.limits.machineCores,
      maxCostPerHour: maxCostPerHour ?? null,
      utilisation,
    },
    plan: plan && summaryOf(plan),
    tuning: { ...tuning, pins: tuning.pins.map(boundedPin) },
    operatorPins: pins.map(boundedPin),
    mayPropose: {
      weights: `each within a factor of ${limits.weightFactor} of the user's`,
      forecastQuantile: allowedQuantiles(limits),
      pins: "variant, batch or replicas of a stage that no operator has pinned",
      configuration: "variant, batch and replicas of every stage, for the next interval",
    },
    stages: shown.map(stage => ({
      stage: bounded(stage.name, MOST_NAME),
      cores: stage.cores,
      replicas: bounds[stage.name] ?? stage.replicas,
      variants: stage.variants.slice(0, MOST_VARIANTS).map(shownVariant),
      ...leftOut(stage.variants.length - MOST_VARIANTS),
    })),
    ...leftOut(pipeline.stages.length - shown.length),
  };
}

function shownVariant({ name, accuracy, profile }: Variant): unknown {
  return {
    variant: bounded(name, MOST_NAME),
    accuracy,
    serviceMs: Object.fromEntries((profile?.points ?? []).map(({ batch, latencyMs }) => [batch, rounded(latencyMs)])),
  };
}

function boundedPin<P extends { readonly stage: string; readonly variant: string | null }>(pin: P): P {
  const { stage, variant } = pin;
  return { ...pin, stage: bounded(stage, MOST_NAME), variant: variant === null ? null : bounded(variant, MOST_NAME) };
}

function leftOut(count: number): { readonly more?: number } {
  return count > 0 ? { more: count } : {};
}
