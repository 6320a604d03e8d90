import { z } from "zod";
import { CONDITION_TYPES } from "../control/board.ts";
import type { ControlState } from "../control/control-state.ts";
import { SETTINGS } from "../control/settings.ts";
import { MAX_RUNGS, MOST_BELOW_FLOOR } from "../domain/assignment.ts";
import { MAX_RATE_RPS, QUANTILES, RATE_QUANTILES } from "../domain/load.ts";
import { partsSchema as parts, readPlanSchema as plan, readReasonsSchema as reasons } from "../domain/plan-schema.ts";

const count = z.int().min(0);
const amount = z.number().min(0);
const time = z.number();
const word = z.string().max(253);
const text = z.string().max(10_000);
/** Only shown: nothing is decided by it, and the next tick finds it anew. */
const cutText = z.string().transform(all => all.slice(0, 10_000));
const replicas = z.int().min(0).max(10_000);
const rate = z.number().min(0).max(MAX_RATE_RPS);

const assignment = z.object({
  version: z.object({ epoch: count, counter: count }),
  rungs: z
    .array(z.object({ variant: word, maxBatch: z.int().min(1) }))
    .min(1)
    .max(MAX_RUNGS),
  top: word,
  floor: word,
  budgetMs: amount,
  laterBudgetMs: amount,
  laterLeastMs: amount,
  headroom: z.number().gt(0).max(1),
  shadow: z.boolean().default(false),
  belowFloor: z.array(word).max(MOST_BELOW_FLOOR).default([]),
  decisionId: word,
});

const actuation = z.object({
  replicas,
  waitingSinceMs: time.nullable(),
  readyMost: replicas.default(0),
  growth: z
    .array(z.object({ atMs: time, from: replicas, replicas }))
    .max(10_000)
    .default([]),
  leadsMs: z.array(amount).max(100),
  stuckAt: replicas.nullable(),
  stuckUntilMs: time,
  stuckTimes: count,
});

const quarantine = z.object({
  stage: word,
  variant: word,
  untilMs: time,
  failures: count,
  // Earlier versions kept the message alone.
  code: word.default("model_invalid"),
  message: text,
  countedEpoch: count,
  countedCounter: count,
});

const missing = z.object({ stage: word, variant: word, atMs: time, pods: z.array(word).max(10_000) });

const variants = z.record(word, word);
const estimates = z
  .array(z.object({ variants, requests: amount, right: amount, labels: amount, correction: z.number() }))
  .max(10_000)
  .default([]);
const share = z.number().min(0).max(1);

const trial = z.object({
  sinceMs: time,
  untilMs: time,
  rateRps: rate,
  configuration: z.record(word, z.object({ parts })),
  planned: variants,
  plannedAccuracy: share,
  accuracy: share,
  mostAccuracy: share,
});

/** The first of each type. Those of types that only another version knows are left out: the next tick finds all anew. */
const conditions = z
  .array(z.object({ type: word, status: z.boolean(), reason: word, message: cutText, sinceMs: time }))
  .max(100)
  .transform(all =>
    all.flatMap((one, i) => {
      const type = CONDITION_TYPES.find(known => known === one.type);
      return type && all.findIndex(other => other.type === type) === i ? [{ ...one, type }] : [];
    }),
  );

/**
 * What a tick may go on from. It is checked as a whole: numbers of a state that is wrong in one place are not to be trusted in another. Words
 * of a closed set are another matter: a version that knows more of them has written this state no worse.
 */
export const storedControlSchema: z.ZodType<ControlState> = z.object({
  schemaVersion: z.literal(1),
  atMs: time.nullable(),
  decisions: count,
  counter: count,
  epoch: count,
  plan: plan.nullable(),
  planReasons: reasons,
  planAtMs: time.nullable(),
  decisionId: word.nullable(),
  planInputs: z.string().max(1e6),
  demandRps: rate.nullable().default(null),
  expectedRps: rate.nullable().default(null),
  demands: z
    .array(
      z.object({
        atMs: time,
        rateRps: rate,
        risenRps: rate.exactOptional(),
        nowRps: rate.exactOptional(),
        ratesRps: z.array(rate).length(RATE_QUANTILES.length).exactOptional(),
        peaksRps: z.array(rate).length(QUANTILES.length).exactOptional(),
      }),
    )
    .max(10_000),
  recommendations: z
    .array(z.object({ atMs: time, replicas: z.record(word, replicas) }))
    .max(10_000)
    .default([]),
  lastArrivalMs: time.nullable(),
  quarantines: z.array(quarantine).max(10_000),
  missing: z.array(missing).max(10_000).default([]),
  actuations: z.record(word, actuation),
  corrections: z.record(word, z.number().positive().max(100)),
  // Earlier versions kept none of the two.
  timedBatches: z.record(z.string(), count).default({}),
  attainmentFactor: z.number().min(1).max(SETTINGS.attainmentMost).default(1),
  asPlannedSinceMs: time.nullable().default(null),
  rowEvidence: z
    .record(
      word,
      z.object({
        rows: amount,
        expected: amount,
        dropped: amount,
        ms: amount,
        isWhole: z.boolean().exactOptional(),
        sinceMs: time.exactOptional(),
        held: z
          .array(z.tuple([time, amount, amount]))
          .max(1000)
          .exactOptional(),
        ratios: z
          .array(z.tuple([amount, amount]))
          .max(1000)
          .exactOptional(),
      }),
    )
    .default({}),
  rowFactors: z.record(word, z.number().positive().max(1000)).default({}),
  rowsSeen: z.record(z.string(), z.tuple([amount, amount])).default({}),
  variantRows: z.record(z.string(), z.record(word, amount)).default({}),
  rowsLoadAtMs: time.nullable().default(null),
  models: z.record(word, text).default({}),
  evidence: estimates,
  remembered: estimates,
  trial: trial.nullable().default(null),
  trialAtMs: time.nullable().default(null),
  trials: count.default(0),
  trialFailures: count.default(0),
  accuracies: z
    .array(z.object({ variants, accuracy: share }))
    .max(100_000)
    .default([]),
  // Nothing is lost without those of another version: a new process gives all of them again.
  assignments: z.record(z.string(), assignment).catch({}),
  conditions,
  servedOther: z.object({ sinceMs: time, lastMs: time }).nullable().default(null),
});
