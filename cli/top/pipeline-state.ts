import { z } from "zod";
import { BAD_WHEN_TRUE } from "../../control/board.ts";
import { operatorPinSchema } from "../../domain/operator-pin.ts";
import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import { partsSchema } from "../../domain/plan-schema.ts";
import type { ScalerClient } from "../scaler/scaler-client.ts";

const rate = z.number();
const count = z.number();
const fanOut = z.object({ measured: z.number(), seen: z.number().nullable(), planned: z.number() }).nullable();
const rowShares = z.array(z.object({ variant: z.string(), share: z.number() })).max(200);
const ladder = z
  .object({
    top: z.string(),
    floor: z.string(),
    rungs: z.array(z.object({ variant: z.string(), maxBatch: count })).max(5),
    shadow: z.boolean(),
  })
  .nullable();
const livePinSchema = operatorPinSchema.omit({ setAtMs: true });

/** What is taken of the scaler's live view (dashboard/live-view.ts). */
const liveSchema = z.object({
  nowMs: z.number(),
  mode: z.enum(["shadow", "active"]),
  slo: z.object({ latencyMs: z.number(), quantile: z.number() }),
  policy: z.string(),
  board: z
    .object({
      decisionId: z.string().nullable(),
      plan: z
        .object({
          feasible: z.boolean(),
          rateRps: rate,
          accuracy: z.number(),
          // Scalers of earlier versions do not say.
          isAccuracyKnown: z.boolean().default(true),
          effectiveAccuracy: z.number(),
          cores: z.number(),
          costPerHour: z.number().nullable(),
          latencyMs: z.number(),
          stages: z.array(z.object({ stage: z.string(), parts: partsSchema })).max(32),
        })
        .nullable(),
      // Scalers of earlier versions do not say.
      served: z
        .object({
          accuracy: z.number().nullable(),
          stages: z.array(z.object({ stage: z.string(), differing: count, message: z.string() })).max(32),
        })
        .nullable()
        .default(null),
      forecast: z.object({ horizonMs: z.number(), peakRps: z.tuple([rate, rate, rate, rate]) }).nullable(),
      load: z.object({ rateRps: rate }).nullable(),
      reasons: z.array(z.string()),
      conditions: z.array(z.object({ type: z.string(), status: z.boolean(), reason: z.string(), message: z.string() })),
      estimated: z.object({ accuracy: z.number() }).nullable(),
    })
    .nullable(),
  stages: z
    .array(
      z.object({
        stage: z.string(),
        replicasNow: count,
        replicasGoal: count,
        replicasReady: count,
        serving: z.array(z.object({ variant: z.string(), replicas: count })),
        // Scalers of earlier builds do not say.
        rowShares: rowShares.default([]),
        shadowShares: rowShares.default([]),
        ladder: ladder.default(null),
        queuedRows: count,
        // Scalers of earlier builds do not say.
        fanOut: fanOut.default(null),
      }),
    )
    .max(32),
  pins: z.array(livePinSchema),
  lastMinute: z
    .object({ ended: count, inTime: count, latencyMs: z.object({ p50: z.number(), p99: z.number() }).nullable() })
    .nullable(),
  problems: z.array(z.string()),
});
type Live = z.output<typeof liveSchema>;

const stageStateSchema = z.object({
  stage: z.string(),
  parts: z.array(partsSchema.element).describe("Planned: variant × batch × replicas; none before the first plan"),
  serving: z
    .array(z.object({ variant: z.string(), replicas: count }))
    .describe("Ready switchers by the most accurate variant that they serve"),
  rowShares: rowShares.describe("Of the rows of the last seconds, by the variant that served them, the largest first"),
  ladder: ladder.describe(
    "What replicas are given: variants in memory, the most accurate first, the top and the floor of those that may serve; shadow: the top alone serves; null: no plan, or mode shadow",
  ),
  shadowShares: rowShares.describe("The same by the variant that the ladder would have chosen, where it is in shadow"),
  differing: count.describe("Ready switchers that serve another variant than is planned for them"),
  replicasReady: count,
  replicasNow: count.describe("Asked for now"),
  replicasGoal: count,
  queuedRows: count,
  fanOut: fanOut.describe(
    "Rows for each request, or for each row of the upstream stage: by the file and its measurements, as seen of late, and as planned for; null: not seen",
  ),
});

export const pipelineStateSchema = z.object({
  pipeline: z.string().describe("namespace/name"),
  atMs: z.number().describe("Milliseconds since 1970"),
  mode: z.enum(["shadow", "active"]).describe("shadow: plans are published, and nothing is done"),
  policy: z.string(),
  loadRps: rate.nullable().describe("Offered entry load; null: no data"),
  forecast: z
    .object({ horizonMs: z.number(), p50Rps: rate, p90Rps: rate, p95Rps: rate, p99Rps: rate })
    .nullable()
    .describe("Quantiles of the highest second within the horizon"),
  planRps: rate.nullable().describe("What the plan was made for"),
  feasible: z.boolean().nullable().describe("The plan meets every constraint"),
  accuracy: z.number().nullable().describe("Predicted by the plan, 0 to 1; null: no plan, or not measured"),
  servedAccuracy: z
    .number()
    .nullable()
    .describe("Predicted of the variants that ready replicas serve, 0 to 1; null: not known"),
  effectiveAccuracy: z.number().nullable().describe("Answers that come too late or not at all counted as wrong"),
  estimatedAccuracy: z.number().nullable().describe("Of the answers of late; null: nothing estimates it"),
  cores: z.number().nullable(),
  costPerHour: z.number().nullable(),
  slo: z.object({ latencyMs: z.number(), quantile: z.number() }),
  predictedLatencyMs: z.number().nullable().describe("At the SLO's quantile"),
  lastMinute: z
    .object({ ended: count, p50Ms: z.number().nullable(), p99Ms: z.number().nullable(), inTime: z.number().nullable() })
    .nullable()
    .describe("Measured by the gateway; inTime: share answered within the SLO's latency"),
  decisionId: z.string().nullable(),
  reasons: z.array(z.string()),
  stages: z.array(stageStateSchema),
  pins: z.array(livePinSchema),
  problems: z.array(z.string()).describe("What is not as it should be, as sentences"),
});

/** What one pipeline is doing now. */
export type PipelineState = z.output<typeof pipelineStateSchema>;

/** Later than any point of a history: none is wanted. */
const NO_HISTORY = "/live?after=9999999999999999";

export async function fetchState(client: ScalerClient, key: PipelineKey): Promise<PipelineState> {
  return stateOf(key, await client.get(key, NO_HISTORY, liveSchema));
}

function stateOf(key: PipelineKey, live: Live): PipelineState {
  const { board, lastMinute } = live;
  const plan = board?.plan ?? null;
  const forecast = board?.forecast ?? null;
  const conditions = (board?.conditions ?? []).filter(({ type, status }) => status === BAD_WHEN_TRUE.includes(type));
  return {
    pipeline: formatKey(key),
    atMs: live.nowMs,
    mode: live.mode,
    policy: live.policy,
    loadRps: board?.load?.rateRps ?? null,
    forecast: forecast && {
      horizonMs: forecast.horizonMs,
      p50Rps: forecast.peakRps[0],
      p90Rps: forecast.peakRps[1],
      p95Rps: forecast.peakRps[2],
      p99Rps: forecast.peakRps[3],
    },
    planRps: plan?.rateRps ?? null,
    feasible: plan?.feasible ?? null,
    accuracy: plan?.isAccuracyKnown ? plan.accuracy : null,
    servedAccuracy: board?.served?.accuracy ?? null,
    effectiveAccuracy: plan?.isAccuracyKnown ? plan.effectiveAccuracy : null,
    estimatedAccuracy: board?.estimated?.accuracy ?? null,
    cores: plan?.cores ?? null,
    costPerHour: plan?.costPerHour ?? null,
    slo: live.slo,
    predictedLatencyMs: plan?.latencyMs ?? null,
    lastMinute: lastMinute && {
      ended: lastMinute.ended,
      p50Ms: lastMinute.latencyMs?.p50 ?? null,
      p99Ms: lastMinute.latencyMs?.p99 ?? null,
      inTime: lastMinute.ended > 0 ? lastMinute.inTime / lastMinute.ended : null,
    },
    decisionId: board?.decisionId ?? null,
    reasons: board?.reasons ?? [],
    stages: live.stages.map(({ stage, ...counts }) => ({
      stage,
      parts: plan?.stages.find(planned => planned.stage === stage)?.parts ?? [],
      differing: board?.served?.stages.find(other => other.stage === stage)?.differing ?? 0,
      ...counts,
    })),
    pins: live.pins,
    problems: [...conditions.map(({ type, message }) => `${type}: ${message}`), ...live.problems],
  };
}
