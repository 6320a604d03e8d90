import { z } from "zod";
import { UNTUNED } from "../control/tuning.ts";
import { QUANTILES } from "../domain/load.ts";
import { evaluate } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { OpenModel } from "../predictor/network/open-model.ts";
import { changeSchema, configurationSchema, whySchema } from "./change.ts";
import type { AgentLimits } from "./limits.ts";
import { rounded, summaryOf } from "./plan-summary.ts";
import { shownState } from "./shown-state.ts";
import { LEAST_SECONDS, simulated } from "./simulated-change.ts";
import { plannedRps, problemOf, type Situation } from "./situation.ts";
import { tunedBy } from "./tuned-by.ts";

/** What a tool of an agent works with. */
export interface ToolContext {
  readonly situation: Situation;
  readonly limits: AgentLimits;
  /** Of the forecaster in simulations; null: it goes without a network. */
  readonly model: OpenModel | null;
}

const nothing = z.strictObject({});
const evaluateSchema = z.strictObject({
  stages: configurationSchema,
  rateRps: z.number().min(0).max(1e7).optional().describe("default: what is planned for now"),
});
const simulateSchema = z.strictObject({
  change: changeSchema.optional().describe("missing: as it is tuned now"),
  seconds: z.int().min(LEAST_SECONDS).max(600).default(300).describe("of the load of late"),
});
export const proposeSchema = z.strictObject({ change: changeSchema, why: whySchema });

/** The agent's tools, all but `propose` without any effect. Descriptions are what a model reads. */
export const TOOLS = {
  get_state: {
    description:
      "What is served now, what it costs, the user's objective and constraints, what is tuned, the stages with their variants, and what may be proposed.",
    input: nothing,
  },
  forecast: {
    description: "The forecast of the load that plans are made for, by quantile, and the load of the last minutes.",
    input: nothing,
  },
  evaluate: {
    description:
      "What a configuration is predicted to give by the exact model, whether it meets every constraint, and how far it is from the optimum by the user's objective.",
    input: evaluateSchema,
  },
  simulate: {
    description:
      "The load of the last minutes once more, simulated with a change and without: effective accuracy, cores, violations, switches and utility of both.",
    input: simulateSchema,
  },
  propose: {
    description:
      "Propose a change, and say why. The exact model checks it: it is refused where it would break a constraint, and its distance from the optimum by the user's objective is told.",
    input: proposeSchema,
  },
} as const;

export type ToolName = keyof typeof TOOLS;

export function isToolName(name: string): name is ToolName {
  return Object.hasOwn(TOOLS, name);
}

/** The tools that only look: the same context and input give the same answer. */
export function look(tool: Exclude<ToolName, "propose">, input: unknown, context: ToolContext): unknown {
  switch (tool) {
    case "get_state":
      return shownState(context.situation, context.limits);
    case "forecast":
      return shownForecast(context.situation);
    case "evaluate":
      return evaluated(context.situation, input as z.output<typeof evaluateSchema>);
    case "simulate":
      return compared(context, input as z.output<typeof simulateSchema>);
    default:
      return tool satisfies never;
  }
}

function shownForecast({ forecast, load, recentRps }: Situation): unknown {
  const known = recentRps.filter(rate => rate !== null);
  const recent =
    known.length === 0
      ? null
      : {
          seconds: recentRps.length,
          meanRps: rounded(known.reduce((sum, rate) => sum + rate, 0) / known.length),
          leastRps: Math.min(...known),
          mostRps: Math.max(...known),
          lastMinuteRps: known.slice(-60).filter((_, i) => i % 5 === 0),
        };
  return {
    loadRps: load?.rateRps ?? null,
    forecast: forecast && {
      horizonSeconds: forecast.horizonMs / 1000,
      highestSecondRps: byQuantile(forecast.peakRps),
      plannedForRps: byQuantile(forecast.intensityRps),
      reactiveRps: rounded(forecast.reactiveRps),
    },
    recent,
  };
}

function byQuantile(values: readonly number[]): Record<string, number> {
  return Object.fromEntries(QUANTILES.map((quantile, i) => [String(quantile), rounded(values[i] ?? 0)]));
}

function evaluated(situation: Situation, { stages, rateRps }: z.output<typeof evaluateSchema>): unknown {
  const { forecast } = situation;
  if (rateRps === undefined && !forecast) return { error: "there is no usable load data: give rateRps" };
  const problem = problemOf(situation, rateRps ?? (forecast ? plannedRps(forecast, UNTUNED) : 0));
  const parts = stages.map(({ stage, ...part }) => [stage, { parts: [{ ...part, share: 1 }] }] as const);
  const unknown = stages.find(({ stage }) => !problem.pipeline.stages.some(({ name }) => name === stage));
  if (unknown) return { error: "there is no such stage: get_state names them" };
  const plan = evaluate(problem, Object.fromEntries(parts));
  const optimum = optimize({ ...problem, runnerUp: false });
  const distance = rounded(Math.max(0, optimum.objective - plan.objective));
  return { plan: summaryOf(plan), optimum: summaryOf(optimum), distance };
}

function compared(context: ToolContext, { change, seconds }: z.output<typeof simulateSchema>): unknown {
  const { situation, limits, model } = context;
  const tuned = change === undefined ? { tuning: situation.tuning } : tunedBy(situation, change, limits);
  if ("refused" in tuned) return { error: tuned.refused };
  const before = simulated(situation, situation.tuning, seconds, model);
  if (before === null) return { error: `less than ${LEAST_SECONDS} s of load are known: nothing to simulate` };
  if (change === undefined) return { as: before };
  return { before, with: simulated(situation, tuned.tuning, seconds, model) };
}
