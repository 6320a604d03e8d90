import { isRate } from "../domain/load.ts";
import { initialActuation } from "./actuation.ts";
import { type ControlState, type Demand, initialState, type MissingVariant } from "./control-state.ts";
import type { TickInput } from "./tick-input.ts";
import { readyCount } from "./transition.ts";

/**
 * The state to begin anew with where ticks can't go on from the one before: what switchers and the cluster say, nothing of the plan. Versions
 * and decisions are counted on, or switchers would refuse them. Nothing is taken away for it: of every stage there are at least the replicas
 * that were asked for last, and the most that was planned for last is held as if it were the demand now. What pods have missed stays known, and of which
 * models: pods that are not connected now don't say it again.
 */
export function stateAnew(before: ControlState, input: TickInput, nowMs: number): ControlState {
  const { epoch, counter, decisions } = before;
  const actuations = input.pipeline.stages.map(stage => {
    const { name, replicas } = stage;
    const known = [before.actuations?.[name]?.replicas, input.scaling[name]?.current, readyCount(input, stage)];
    return [name, initialActuation(Math.max(replicas.min, ...known.map(countOf)))] as const;
  });
  return {
    ...initialState(Math.max(countOf(epoch), input.epoch)),
    counter: countOf(counter),
    decisions: countOf(decisions),
    demands: heldDemands(before, nowMs),
    actuations: Object.fromEntries(actuations),
    missing: knownMissing(before),
    models: knownModels(before),
  };
}

function heldDemands({ plan, demands }: ControlState, nowMs: number): readonly Demand[] {
  const known = Array.isArray(demands) ? (demands as readonly (Partial<Demand> | null)[]) : [];
  const rates = [plan, ...known].flatMap(one => one?.rateRps ?? []).filter(isRate);
  return rates.length > 0 ? [{ atMs: nowMs, rateRps: Math.max(...rates) }] : [];
}

function knownMissing({ missing }: ControlState): readonly MissingVariant[] {
  return Array.isArray(missing) ? missing.filter(isMissing) : [];
}

function isMissing(entry: Partial<MissingVariant> | null): entry is MissingVariant {
  const { stage, variant, atMs, pods } = entry ?? {};
  const isNamed = typeof stage === "string" && typeof variant === "string";
  return isNamed && Number.isFinite(atMs) && Array.isArray(pods) && pods.every(pod => typeof pod === "string");
}

function knownModels({ models }: ControlState): ControlState["models"] {
  const known = Object.entries(models ?? {}).filter(([, model]) => typeof model === "string");
  return Object.fromEntries(known);
}

/** What is no count counts as none. */
function countOf(value: number | undefined): number {
  return value !== undefined && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
