import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { AgentPort } from "../../agent/port.ts";
import type { Situation } from "../../agent/situation.ts";
import { type Tuning, UNTUNED } from "../../control/tuning.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { RATE_QUANTILES } from "../../domain/load.ts";
import { stagePinSchema } from "../../domain/operator-pin.ts";
import { formatKey, type Pipeline, type PipelineKey, withFanOutTimes } from "../../domain/pipeline.ts";
import { readPlanSchema } from "../../domain/plan-schema.ts";
import { servingChangeSchema } from "../../domain/serving/serving-schema.ts";
import type { Given } from "../../optimizer/given.ts";
import { givenSchema } from "../plan/given-schema.ts";
import { ownName, tokenOf } from "../scaler/access-options.ts";
import { openScaler } from "../scaler/open-scaler.ts";
import type { ScalerClient } from "../scaler/scaler-client.ts";

const rate = z.number().min(0).max(1e7);
const four = z.tuple([rate, rate, rate, rate]);
const word = z.string().max(253);
const weight = z.number().min(0).max(1e6);
const tuningSchema = z.object({
  weights: z.object({ accuracy: weight, cost: weight, batch: weight, switch: weight }).nullable(),
  forecastQuantile: z.number().nullable(),
  pins: z.array(stagePinSchema).max(64),
  // Scalers of earlier builds have none.
  serving: servingChangeSchema.nullable().default(null),
});
const sampleSchema = z.object({ atMs: z.number(), rateRps: rate });
const forecastSchema = z.object({
  atMs: z.number(),
  horizonMs: z.number(),
  peakRps: four,
  intensityRps: four,
  rateRps: z.array(rate).length(RATE_QUANTILES.length),
  reactiveRps: rate,
  riseRps: rate.exactOptional(),
  leader: word,
});

const pageSchema = z.object({
  nowMs: z.number(),
  mode: z.enum(["shadow", "active"]),
  slo: z.unknown(),
  objective: z.unknown(),
  board: z
    .object({
      plan: readPlanSchema.nullable(),
      forecast: forecastSchema.nullable(),
      load: sampleSchema.nullable(),
      corrections: z.record(word, z.number()),
      stages: z.array(z.object({ stage: word })).max(1000),
    })
    .nullable(),
  pins: z.array(stagePinSchema).max(1000),
  // Scalers of earlier builds have none.
  tuning: tuningSchema.nullable().default(null),
});
type Page = z.output<typeof pageSchema>;

const decisionsSchema = z.object({ decisions: z.array(z.object({ given: givenSchema.nullable().default(null) })) });
const historySchema = z.object({
  history: z.object({
    atMs: z.array(z.number()).max(100_000),
    values: z.object({ loadRps: z.array(rate.nullable()).max(100_000) }),
  }),
});
const tunedSchema = z.object({ tuning: tuningSchema.nullable() });

/** Of the past, what a Situation remembers. */
const RECENT_MS = 600_000;

/** A running scaler, by its HTTP API. The pipeline's profiles come from its file, which must be the one that the scaler has. */
export async function openScalerPort(
  pipeline: Pipeline,
  url: string,
  flags: { readonly pipeline?: string; readonly tokenFile?: string },
  env: NodeJS.ProcessEnv,
): Promise<AgentPort> {
  const { client, key } = await openScaler(flags.pipeline, {
    url,
    token: tokenOf(flags.tokenFile, env),
  });
  return new ScalerPort(pipeline, client, key);
}

class ScalerPort implements AgentPort {
  readonly #pipeline: Pipeline;
  readonly #client: ScalerClient;
  readonly #key: PipelineKey;
  #given: Given | null = null;

  constructor(pipeline: Pipeline, client: ScalerClient, key: PipelineKey) {
    this.#pipeline = pipeline;
    this.#client = client;
    this.#key = key;
  }

  async situation(): Promise<Situation> {
    const client = this.#client;
    const page = await client.get(this.#key, "", pageSchema);
    checkSame(this.#pipeline, this.#key, page);
    const after = Math.max(0, Math.floor(page.nowMs - RECENT_MS));
    const [{ decisions }, { history }] = await Promise.all([
      client.get(this.#key, "/decisions?limit=1", decisionsSchema),
      client.get(this.#key, `/live?after=${after}`, historySchema),
    ]);
    this.#given = decisions[0]?.given ?? this.#given;
    return situationOf(this.#pipeline, page, this.#given, recentOf(history.atMs, history.values.loadRps, page.nowMs));
  }

  async apply(tuning: Tuning, ttlMs: number, why: string): Promise<void> {
    const body = { ...tuning, ttlMs, reason: why, by: `agent, ${ownName(hostname())}` };
    await this.#client.change("PUT", this.#key, "/tuning", {}, body, tunedSchema);
  }
}

function situationOf(
  pipeline: Pipeline,
  page: Page,
  given: Given | null,
  recentRps: Situation["recentRps"],
): Situation {
  const { board, nowMs, mode, pins, tuning } = page;
  const { excluded = {}, limits = { cores: null, machineCores: null }, bounds = {}, scaling } = given ?? {};
  return {
    pipeline: pipelineGiven(pipeline, given),
    atMs: nowMs,
    mode,
    load: board?.load ?? null,
    forecast: board?.forecast ?? null,
    plan: board?.plan ?? null,
    corrections: board?.corrections ?? {},
    excluded,
    pins: pins.map(({ stage, variant, batch, replicas }) => ({ stage, variant, batch, replicas })),
    limits,
    bounds,
    ...(scaling && { scaling: finite(scaling) }),
    tuning: tuning ?? UNTUNED,
    recentRps,
  };
}

/** The pipeline as the scaler plans with it: with accuracies and fan-outs as it learnt them. */
function pipelineGiven(pipeline: Pipeline, given: Given | null): Pipeline {
  const { accuracies, rowFactors = {} } = given ?? {};
  const stages = pipeline.stages.map(stage => withFanOutTimes(stage, rowFactors[stage.name] ?? 1));
  const accuracy = accuracies ? { ...pipeline.accuracy, combinations: accuracies } : pipeline.accuracy;
  return { ...pipeline, stages, accuracy };
}

/** A transcript is JSON, which has no infinity. */
function finite(scaling: NonNullable<Given["scaling"]>): NonNullable<Given["scaling"]> {
  return Object.fromEntries(
    Object.entries(scaling).map(([stage, hpa]) => [stage, { ...hpa, max: Math.min(hpa.max, 1e6) }]),
  );
}

/** What would be checked with another file than the scaler's would be checked wrongly. */
function checkSame(pipeline: Pipeline, key: PipelineKey, { slo, objective, board }: Page): void {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const stages = board?.stages.map(({ stage }) => stage) ?? pipeline.stages.map(({ name }) => name);
  const isSame =
    isDeepStrictEqual(plain(pipeline.slo), slo) &&
    isDeepStrictEqual(plain(pipeline.objective), objective) &&
    isDeepStrictEqual(
      pipeline.stages.map(({ name }) => name),
      stages,
    );
  if (!isSame)
    throw new VariscaleError(
      "failed_precondition",
      `the pipeline file is not the one that the scaler has of ${formatKey(key)}: objective, SLO or stages differ; give its file, and its --set`,
    );
}

/** Points of several seconds stand for each of them, with their highest one. */
function recentOf(
  atMs: readonly number[],
  loadRps: readonly (number | null)[],
  nowMs: number,
): readonly (number | null)[] {
  const fromMs = Math.max(nowMs - RECENT_MS, atMs[0] ?? nowMs);
  const rates = new Array<number | null>(Math.max(0, Math.floor((nowMs - fromMs) / 1000))).fill(null);
  for (const [i, at] of atMs.entries()) {
    const first = Math.max(0, Math.floor(((atMs[i - 1] ?? at - 1000) - fromMs) / 1000));
    for (let s = first; s < Math.min(rates.length, Math.floor((at - fromMs) / 1000)); s++)
      rates[s] = loadRps[i] ?? null;
  }
  return rates;
}
