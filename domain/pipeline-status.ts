import { z } from "zod";

const generation = z.int().min(0);
const count = z.int().min(0);
const time = z.string().max(64).describe("RFC 3339");
const word = z.string().max(253);

const condition = z.object({
  type: word,
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().max(1024).describe("CamelCase, for machines"),
  message: z.string().max(32_768),
  lastTransitionTime: time,
  observedGeneration: generation.optional(),
});

const part = z.object({
  variant: word,
  batch: count.describe("Rows"),
  replicas: count,
  share: z.number().describe("Of the stage's rows"),
});

const stage = z.object({
  name: word,
  replicas: count.describe("That there should be now"),
  goalReplicas: count.describe("Of the plan"),
  readyReplicas: count,
  cores: z.number().optional().describe("Of the plan's replicas"),
  latencyMs: z.number().optional().describe("Predicted, at the quantile of the SLO"),
  parts: z.array(part).max(100).describe("Of the plan: variant, batch size and replicas"),
});

/**
 * What the scaler says of an InferencePipeline in its status. Reasons are open words: a definition that is older than the scaler must not
 * refuse what it says.
 */
export const pipelineStatusSchema = z.object({
  observedGeneration: generation.optional().describe("The newest one that was looked at"),
  acceptedGeneration: generation.optional().describe("The one that is served: an older one where the newest is wrong"),
  mode: word.optional().describe("`shadow` or `active`, as an operator set it, else as the spec says"),
  decisionId: word.optional(),
  plannedAt: time.optional(),
  loadRps: z.number().optional().describe("Offered requests a second, of late"),
  plannedRps: z.number().optional().describe("Requests a second that the plan was made for"),
  accuracy: z.number().optional().describe("Predicted share of answers that are right"),
  effectiveAccuracy: z.number().optional().describe("With late and shed requests as wrong"),
  cores: z.number().optional().describe("Of all planned replicas"),
  latencyMs: z.number().optional().describe("Predicted end to end, at the quantile of the SLO"),
  feasible: z.boolean().optional().describe("The plan meets every constraint"),
  binding: word.optional().describe("The constraint that the plan touches"),
  reasons: z.array(word).max(64).optional(),
  stages: z.array(stage).max(32).optional(),
  conditions: z.array(condition).max(64).optional(),
});

export type PipelineStatus = z.input<typeof pipelineStatusSchema>;
export type PipelineStatusCondition = z.input<typeof condition>;
