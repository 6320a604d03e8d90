import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { MAX_RATE_RPS } from "../../domain/load.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import { POLICY_NAMES } from "../../domain/policy-name.ts";
import { outcomeText, runnerUpText } from "../../explanation/plan-text.ts";
import { atMoreText, priceText } from "../../explanation/price-text.ts";
import { BINDING_TEXT, REASON_TEXT } from "../../explanation/reason-text.ts";
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { explain } from "../../optimizer/explain.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { checkProfiled } from "../check-profiled.ts";
import type { LoadInput } from "../load-input.ts";
import { timeLimitOf } from "../options.ts";
import { problemFor } from "../plan/plan-request.ts";
import { casesFor } from "../simulate/cases.ts";
import { PLAIN_CASE } from "../simulate/plain-case.ts";
import { runAll } from "../simulate/run-all.ts";
import { pipelineInput } from "./pipeline-input.ts";
import { defineTool, type Tool } from "./tool.ts";

const stageVariant = z.strictObject({ stage: z.string().min(1).max(63), variant: z.string().min(1).max(63) });
const amount = z.number();
/** Nothing else is answered meanwhile. */
const MOST_PLAN_MS = 5000;

/**
 * What if: plans and simulations of pipeline files. Only files that were named at the start are read.
 *
 * @param files path of each file, by `namespace/name`.
 */
export function fileTools(files: ReadonlyMap<string, string>): readonly Tool[] {
  return [planTool(files), simulateTool(files)];
}

function planTool(files: ReadonlyMap<string, string>): Tool {
  return defineTool({
    name: "plan",
    title: "Plan for a load",
    description: `The proven best variant, batch and replicas of every stage for a load, from a pipeline file and what was measured: what if the load, SLO, policy or limits were otherwise. Nothing is changed. Pipelines: ${namesOf(files)}.`,
    input: z.strictObject({
      pipeline: pipelineInput.optional(),
      rps: z.number().min(0).max(MAX_RATE_RPS).describe("Entry requests a second"),
      sloMs: z.number().min(0.1).max(1e7).optional().describe("Default: the file's"),
      policy: z.enum(POLICY_NAMES).optional().describe("Default: the file's"),
      pins: z.array(stageVariant).max(32).default([]).describe("Serve these variants"),
      exclude: z.array(stageVariant).max(100).default([]).describe("Do not serve these variants"),
      maxCores: z.number().min(0.001).max(1e6).optional(),
      minAccuracy: z.number().min(0).max(1).optional(),
      timeLimitMs: z
        .number()
        .min(1)
        .max(MOST_PLAN_MS)
        .optional()
        .describe(
          "End each search by then, for the plan and for every price: `optimal` and `gap` say how far it may be from the best. Default: a budget of work",
        ),
    }),
    output: z.object({
      pipeline: z.string(),
      plan: planSchema,
      why: z.array(z.string()).describe("Sentences"),
      prices: z.array(z.string()).describe("What a little more or less would cost"),
      atMore: z.array(z.string()).describe("What the same replicas serve where more comes: lighter variants, in part"),
    }),
    changes: false,
    run: async ({ pipeline: name, rps, sloMs, policy, pins, exclude, maxCores, minAccuracy, timeLimitMs }) => {
      const { key, path, pipeline } = readNamed(files, name, sloMs);
      const pair = ({ stage, variant }: z.output<typeof stageVariant>): string => `${stage}=${variant}`;
      checkProfiled(pipeline, path);
      const problem = problemFor(pipeline, {
        rps,
        pin: pins.map(pair),
        exclude: exclude.map(pair),
        vote: [],
        split: [],
        ...(policy && { policy }),
        ...(maxCores !== undefined && { maxCores }),
        ...(minAccuracy !== undefined && { minAccuracy }),
      });
      const limit = timeLimitOf(timeLimitMs);
      const plan = optimize(problem, limit);
      const explanation = explain(problem, plan, limit);
      return {
        pipeline: key,
        plan,
        why: [
          ...outcomeText(plan),
          ...plan.reasons.map(reason => REASON_TEXT[reason]),
          `held back by: ${BINDING_TEXT[plan.binding]}`,
          runnerUpText(plan, plan.runnerUp),
        ],
        prices: explanation.prices.map(priceText),
        atMore: [...atMoreText(explanation.atMore)],
      };
    },
  });
}

const KINDS = Object.keys(LOAD_KINDS) as (keyof typeof LOAD_KINDS)[];
/** Of a generated load that lies before what is simulated: the forecaster's past. */
const PAST_SECONDS = 4 * 3600;
const WARM_UP_SECONDS = 60;

const summarySchema = z.object({
  offered: amount,
  inTime: amount,
  late: amount,
  dropped: amount,
  lost: amount,
  violations: amount.describe("Share that was late, dropped or lost"),
  accuracy: amount.describe("Of what was answered"),
  effectiveAccuracy: amount.describe("Right and in time, of all that were offered"),
  cores: amount.describe("Mean of what all pods took"),
  p50Ms: amount.nullable(),
  p95Ms: amount.nullable(),
  p99Ms: amount.nullable(),
  switches: amount,
  podsStarted: amount,
  decisions: amount,
});

function simulateTool(files: ReadonlyMap<string, string>): Tool {
  let isRunning = false;
  return defineTool({
    name: "simulate",
    title: "Simulate a load",
    description: `What a pipeline would do under a load, by policy: the scaler's own control loop on a virtual clock, against simulated gateway, switchers, KEDA and HPA. The load is generated, or given second by second. Nothing is changed. One simulation runs at a time. Pipelines: ${namesOf(files)}.`,
    input: z.strictObject({
      pipeline: pipelineInput.optional(),
      load: z
        .strictObject({
          kind: z.enum(KINDS).optional().describe("A generated load"),
          seed: z
            .int()
            .min(0)
            .max(2 ** 32 - 1)
            .default(1),
          ratesRps: z
            .array(z.number().min(0).max(MAX_RATE_RPS))
            .min(62)
            .max(20_000)
            .optional()
            .describe("Requests of each second, in the place of a generated load; the first minute is not counted"),
          scale: z.number().min(0.0001).max(1e4).default(1).describe("Factor of the load"),
        })
        .refine(
          ({ kind, ratesRps }) => (kind === undefined) !== (ratesRps === undefined),
          "give one of kind and ratesRps",
        ),
      seconds: z.int().min(60).max(3600).default(600).describe("How much of the load is simulated, up to its end"),
      policies: z.array(z.enum(POLICY_NAMES)).min(1).max(4).optional().describe("Default: the file's"),
      sloMs: z.number().min(0.1).max(1e7).optional().describe("Default: the file's"),
      maxCores: z.number().min(0.001).max(1e6).optional(),
      seed: z
        .int()
        .min(0)
        .max(2 ** 31)
        .default(1)
        .describe("Of service times and arrivals"),
    }),
    output: z.object({
      pipeline: z.string(),
      load: z.string(),
      results: z.array(z.object({ policy: z.enum(POLICY_NAMES), seconds: amount, summary: summarySchema })),
    }),
    changes: false,
    run: async ({ pipeline: name, load, seconds, policies, sloMs, maxCores, seed }, { signal }) => {
      if (isRunning)
        throw new VariscaleError("resource_exhausted", "a simulation is running already: try again when it is done");
      isRunning = true;
      try {
        const { key, pipeline } = readNamed(files, name, sloMs);
        const input = loadOf(load, seconds);
        const cases = await casesFor(pipeline, input, {
          ...PLAIN_CASE,
          policies: policies ?? null,
          length: seconds,
          warmUp: WARM_UP_SECONDS,
          scale: load.scale,
          seed,
          ...(maxCores !== undefined && { maxCores }),
        });
        const results = await runAll(cases, 1, () => undefined, { signal });
        return {
          pipeline: key,
          load: input.name,
          results: results.map(result => ({ policy: result.policy, seconds: result.seconds, summary: result.summary })),
        };
      } finally {
        isRunning = false;
      }
    },
  });
}

function loadOf(
  {
    kind,
    seed,
    ratesRps,
  }: { kind?: keyof typeof LOAD_KINDS | undefined; seed: number; ratesRps?: number[] | undefined },
  seconds: number,
): LoadInput {
  if (kind === undefined)
    return { name: "the given load", trace: { startMs: 0, ratesRps: Float64Array.from(ratesRps ?? []) } };
  const length = PAST_SECONDS + WARM_UP_SECONDS + seconds;
  return { name: `${kind} ${seed}`, trace: generateLoad(LOAD_KINDS[kind], length, seed) };
}

function readNamed(
  files: ReadonlyMap<string, string>,
  name: string | undefined,
  sloMs: number | undefined,
): { readonly key: string; readonly path: string; readonly pipeline: Pipeline } {
  const only = files.size === 1 ? [...files.keys()][0] : undefined;
  const key = name ?? only ?? "";
  const path = files.get(key) ?? files.get(`default/${key}`);
  if (path === undefined)
    throw new VariscaleError(
      "invalid_argument",
      `${key === "" ? "name a pipeline" : `there is no file of pipeline ${key}`}: one of ${namesOf(files)}`,
    );
  const set = sloMs === undefined ? [] : [`spec.slo.latencyMs=${sloMs}`];
  return { key: files.has(key) ? key : `default/${key}`, path, pipeline: readPipeline(path, { set }) };
}

function namesOf(files: ReadonlyMap<string, string>): string {
  return [...files.keys()].join(", ");
}
