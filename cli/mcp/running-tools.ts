import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { BINDINGS } from "../../domain/plan.ts";
import { mixSchema, planSchema, readPlanSchema } from "../../domain/plan-schema.ts";
import { givenText } from "../../explanation/given-text.ts";
import { outcomeText, runnerUpText } from "../../explanation/plan-text.ts";
import { atMoreText, priceText } from "../../explanation/price-text.ts";
import { BINDING_TEXT, REASON_TEXT } from "../../explanation/reason-text.ts";
import { PRICED } from "../../optimizer/explain.ts";
import { givenSchema } from "../plan/given-schema.ts";
import type { ScalerClient } from "../scaler/scaler-client.ts";
import { chooseStates, SORT_ORDERS } from "../top/choose-states.ts";
import { fetchStates } from "../top/fetch-states.ts";
import { fetchState, pipelineStateSchema } from "../top/pipeline-state.ts";
import { pipelineInput } from "./pipeline-input.ts";
import { defineTool, type Tool } from "./tool.ts";

const amount = z.number();
const replicasSchema = z.array(z.object({ stage: z.string(), now: amount, goal: amount, ready: amount }));
const frontPoint = z.object({
  cores: amount,
  accuracy: amount,
  stages: z.array(z.object({ stage: z.string(), parts: z.array(z.looseObject({ variant: z.string() })) })),
});
const heaviest = z.object({ feasible: z.boolean(), cores: amount, accuracy: amount });

/** What is taken of the scaler's answer (dashboard/live-view.ts). */
const explainedSchema = z.object({
  decisionId: z.string(),
  atMs: amount,
  mode: z.enum(["shadow", "active"]),
  loadRps: amount.nullable(),
  plan: readPlanSchema,
  given: givenSchema.nullable(),
  replicas: replicasSchema,
  analysis: z.object({
    explanation: z.object({
      prices: z.array(
        z.object({
          of: z.enum(PRICED),
          stage: z.string().exactOptional(),
          step: amount,
          feasible: z.boolean(),
          cores: amount,
          replicas: amount,
          accuracy: amount,
          latencyMs: amount,
        }),
      ),
      // Scalers of earlier builds do not say.
      atMore: z.array(mixSchema.extend({ rateRps: amount })).default([]),
    }),
    front: z.array(frontPoint),
    heaviest,
  }),
});

const newestSchema = z.object({ decisions: z.array(z.object({ decisionId: z.string().max(253) })).max(1) });

/** Most plans that are worth having that are told of. */
const MOST_ALTERNATIVES = 12;

/** What a running scaler does and why. */
export function runningTools(client: ScalerClient): readonly Tool[] {
  return [listPipelines(client), explainDecision(client), forecast(client)];
}

function listPipelines(client: ScalerClient): Tool {
  return defineTool({
    name: "list_pipelines",
    title: "Pipelines now",
    description:
      "What the pipelines of the running scaler are doing now: load, forecast, accuracy, latency against the SLO, cores, and variant × batch × replicas of every stage, with problems and pins. The same as `variscale top`.",
    input: z.strictObject({
      pipeline: pipelineInput.optional(),
      namespace: z.string().max(63).optional(),
      problemsOnly: z.boolean().default(false),
      sort: z.enum(SORT_ORDERS).default("pipeline"),
      limit: z.int().min(1).max(50).default(20),
    }),
    output: z.object({
      pipelines: z.array(pipelineStateSchema),
      leftOut: z.int().describe("More that there are, beyond the limit"),
    }),
    changes: false,
    run: async ({ pipeline, namespace = null, problemsOnly, sort, limit }) => {
      const pipelines = pipeline === undefined ? [] : [await client.pipeline(pipeline)];
      const states = await fetchStates(client, { pipelines, namespace });
      const chosen = chooseStates(states, { order: sort, problemsOnly });
      return { pipelines: chosen.slice(0, limit), leftOut: Math.max(0, chosen.length - limit) };
    },
  });
}

function explainDecision(client: ScalerClient): Tool {
  return defineTool({
    name: "explain_decision",
    title: "Why a decision is as it is",
    description:
      "Why a decision of the running scaler is as it is: the plan, the constraint that holds it back, what came second, what it was made with, what a little more or less of accuracy, time, load and cores would cost, and the other plans worth having at that load.",
    input: z.strictObject({
      pipeline: pipelineInput.optional(),
      decisionId: z.string().min(1).max(253).optional().describe("Default: the newest"),
    }),
    output: z.object({
      pipeline: z.string(),
      decisionId: z.string(),
      atMs: amount,
      mode: z.enum(["shadow", "active"]),
      loadRps: amount.nullable(),
      plan: planSchema,
      binding: z.enum(BINDINGS).describe("The constraint that holds the plan back"),
      replicas: replicasSchema,
      why: z.array(z.string()).describe("Sentences"),
      prices: z.array(z.string()).describe("What a little more or less would cost"),
      atMore: z.array(z.string()).describe("What the same replicas serve where more comes: lighter variants, in part"),
      alternatives: z
        .array(z.object({ cores: amount, accuracy: amount, stages: z.string() }))
        .describe("Plans worth having at this load, cheapest first"),
      heaviest: heaviest.describe("What the heaviest variants everywhere would take"),
    }),
    changes: false,
    run: async ({ pipeline, decisionId }) => {
      const key = await client.pipeline(pipeline ?? null);
      const id = decisionId ?? (await client.get(key, "/decisions?limit=1", newestSchema)).decisions[0]?.decisionId;
      if (id === undefined)
        throw new VariscaleError("not_found", "there is no decision yet: it decides when there is load data");
      const found = await client.get(key, `/decisions/${encodeURIComponent(id)}`, explainedSchema);
      const { plan, given, analysis } = found;
      const { heading, lines } = givenText(given);
      return {
        pipeline: `${key.namespace}/${key.name}`,
        decisionId: found.decisionId,
        atMs: found.atMs,
        mode: found.mode,
        loadRps: found.loadRps,
        plan,
        binding: plan.binding,
        replicas: found.replicas,
        why: [
          ...outcomeText(plan),
          ...plan.reasons.map(reason => REASON_TEXT[reason]),
          `held back by: ${BINDING_TEXT[plan.binding]}`,
          runnerUpText(plan, plan.runnerUp),
          [heading, ...lines].join(" "),
        ],
        prices: analysis.explanation.prices.map(priceText),
        atMore: [...atMoreText(analysis.explanation.atMore)],
        alternatives: spread(analysis.front, MOST_ALTERNATIVES).map(({ cores, accuracy, stages }) => ({
          cores,
          accuracy,
          stages: stages
            .map(({ stage, parts }) => `${stage}: ${parts.map(({ variant }) => variant).join(" + ")}`)
            .join(", "),
        })),
        heaviest: analysis.heaviest,
      };
    },
  });
}

const horizonSchema = z.object({
  horizonSeconds: amount,
  coverage: z.array(amount).describe("How often the load of late stayed below the quantiles 0.5, 0.9, 0.95, 0.99"),
  outcomes: amount.describe("How many forecasts that counts"),
});
const forecasterSchema = z.object({
  forecaster: z.object({ model: z.string(), knownSeconds: amount, horizons: z.array(horizonSchema) }),
});
const pastSchema = z.object({
  history: z.object({
    atMs: z.array(amount),
    values: z.object({
      loadRps: z.array(amount.nullable()),
      peakP50Rps: z.array(amount.nullable()),
      peakP99Rps: z.array(amount.nullable()),
    }),
  }),
});

/** Points of the past that are told. */
const MOST_POINTS = 60;

function forecast(client: ScalerClient): Tool {
  return defineTool({
    name: "forecast",
    title: "Load and its forecast",
    description:
      "Load of a pipeline now and in the last minutes, its forecast (quantiles of the highest second within the planning horizon), what the plan was made for, and how well forecasts of late kept their promise.",
    input: z.strictObject({ pipeline: pipelineInput.optional() }),
    output: z.object({
      pipeline: z.string(),
      loadRps: amount.nullable(),
      forecast: pipelineStateSchema.shape.forecast,
      planRps: amount.nullable(),
      model: z.string().describe("own, bundled or none"),
      knownSeconds: amount.describe("Seconds of load that it knows"),
      horizons: z.array(horizonSchema),
      past: z
        .array(
          z.object({ atMs: amount, loadRps: amount.nullable(), p50Rps: amount.nullable(), p99Rps: amount.nullable() }),
        )
        .describe("Oldest first; forecasts as they were made then"),
    }),
    changes: false,
    run: async ({ pipeline }) => {
      const key = await client.pipeline(pipeline ?? null);
      const state = await fetchState(client, key);
      const { forecaster } = await client.get(key, "", forecasterSchema);
      const { history } = await client.get(key, "/live", pastSchema);
      const points = history.atMs.map((atMs, i) => ({
        atMs,
        loadRps: history.values.loadRps[i] ?? null,
        p50Rps: history.values.peakP50Rps[i] ?? null,
        p99Rps: history.values.peakP99Rps[i] ?? null,
      }));
      return {
        pipeline: state.pipeline,
        loadRps: state.loadRps,
        forecast: state.forecast,
        planRps: state.planRps,
        ...forecaster,
        past: spread(points, MOST_POINTS),
      };
    },
  });
}

/** At most so many of a list, evenly spread, with the first and the last. */
function spread<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))] as T);
}
