import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { formatKey } from "../../domain/pipeline.ts";
import type { Plan } from "../../domain/plan.ts";
import { readPlanSchema, readReasonsSchema } from "../../domain/plan-schema.ts";
import type { MadePlan } from "../../explanation/explain-decision.ts";
import { type ScalerAccess, ScalerClient } from "../scaler/scaler-client.ts";
import { fetchState, type PipelineState } from "../top/pipeline-state.ts";
import { givenSchema } from "./given-schema.ts";
import type { WrittenPlan } from "./plan-request.ts";

/** A plan, and what is known of how it came about; null: nothing. */
export interface Decision extends MadePlan {
  readonly decisionId: string | null;
  readonly at: string | null;
  readonly pipeline: string | null;
  readonly mode: string | null;
  readonly loadRps: number | null;
  readonly replicas: Readonly<Record<string, { readonly now: number; readonly goal: number; readonly ready: number }>>;
  /** The pipeline as it is at this moment; null where another decision than the newest was asked for. */
  readonly now:
    | (Pick<PipelineState, "accuracy" | "servedAccuracy" | "problems"> & {
        readonly stages: readonly Pick<
          PipelineState["stages"][number],
          "stage" | "ladder" | "rowShares" | "shadowShares"
        >[];
      })
    | null;
}

export function decisionOfPlan({ plan, given }: WrittenPlan): Decision {
  const nothing = { decisionId: null, at: null, pipeline: null, mode: null, loadRps: null, before: null, now: null };
  return { plan, given, ...nothing, corrections: {}, replicas: {} };
}

export interface DecisionQuery extends ScalerAccess {
  /** Null: the scaler's only one. */
  readonly pipeline: string | null;
  /** Null: the newest. */
  readonly decisionId: string | null;
}

const count = z.int().min(0);
const recordSchema = z.object({
  at: z.string().max(40),
  namespace: z.string().max(253),
  pipeline: z.string().max(253),
  decisionId: z.string().max(253),
  mode: z.string().max(20),
  load: z.object({ rateRps: z.number() }).nullable(),
  plan: z.looseObject({}),
  reasons: readReasonsSchema,
  binding: z.string().max(253),
  runnerUp: z.unknown(),
  corrections: z.record(z.string(), z.number()),
  // Scalers of earlier builds do not say.
  given: givenSchema.nullable().default(null),
  replicas: z.record(z.string(), z.object({ now: count, goal: count, ready: count })),
});
const answerSchema = z.object({ decisions: z.array(recordSchema).max(10_000) });

/** Decisions that are asked for at once, and how often; a scaler keeps 500 of a pipeline at most. */
const LIMIT = 50;
const MOST_PAGES = 10;

/**
 * Asks a scaler for one of its decisions.
 *
 * @throws VariscaleError unavailable where it does not answer, not_found where it has no such pipeline or decision.
 */
export async function fetchDecision({ pipeline, decisionId, ...access }: DecisionQuery): Promise<Decision> {
  const client = new ScalerClient(access);
  const id = await client.pipeline(pipeline);
  const [key, path] = [formatKey(id), `/decisions?limit=${LIMIT}`];
  const newestFirst: z.output<typeof recordSchema>[] = [];
  let index = -1;
  for (let page = 0; page < MOST_PAGES && (index < 0 || index === newestFirst.length - 1); page++) {
    const last = newestFirst.at(-1)?.decisionId;
    const before = last === undefined ? "" : `&before=${encodeURIComponent(last)}`;
    const { decisions } = await client.get(id, path + before, answerSchema);
    // A scaler of an earlier build knows no pages, and has answered all at once.
    if (decisions.length === 0 || decisions.some(({ decisionId: one }) => one === last)) break;
    newestFirst.push(...decisions.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)));
    index = decisionId === null ? 0 : newestFirst.findIndex(other => other.decisionId === decisionId);
  }
  const found = newestFirst[index];
  if (!found) {
    const rule =
      decisionId === null
        ? `${key} has no decision yet: it decides when there is load data`
        : `${key} has no decision \`${decisionId}\` among its newest ${newestFirst.length}: see ${client.address(id, path)}`;
    throw new VariscaleError("not_found", rule);
  }
  const before = newestFirst[index + 1];
  const now = decisionId === null ? await fetchState(client, id) : null;
  return {
    plan: planOf(found, access.url),
    decisionId: found.decisionId,
    at: found.at,
    pipeline: `${found.namespace}/${found.pipeline}`,
    mode: found.mode,
    loadRps: found.load?.rateRps ?? null,
    corrections: found.corrections,
    given: found.given,
    replicas: found.replicas,
    before: before ? planOf(before, access.url) : null,
    now: now && {
      accuracy: now.accuracy,
      servedAccuracy: now.servedAccuracy,
      problems: now.problems,
      stages: now.stages.map(({ stage, ladder, rowShares, shadowShares }) => ({
        stage,
        ladder,
        rowShares,
        shadowShares,
      })),
    },
  };
}

function planOf({ plan, reasons, binding, runnerUp }: z.output<typeof recordSchema>, url: string): Plan {
  const parsed = readPlanSchema.safeParse({ ...plan, reasons, binding, runnerUp });
  if (!parsed.success)
    throw new VariscaleError("unavailable", `${url} gave no answer of a scaler. Is --url the scaler's HTTP port?`);
  return parsed.data;
}
