import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { BINDINGS, type Plan, REASONS } from "../../domain/plan.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import type { MadePlan } from "../../explanation/explain-decision.ts";
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
}

export function decisionOfPlan({ plan, given }: WrittenPlan): Decision {
  const nothing = { decisionId: null, at: null, pipeline: null, mode: null, loadRps: null, before: null };
  return { plan, given, ...nothing, corrections: {}, replicas: {} };
}

export interface DecisionQuery {
  readonly url: string;
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
  reasons: z.array(z.enum(REASONS)).max(REASONS.length),
  binding: z.enum(BINDINGS),
  runnerUp: z.unknown(),
  corrections: z.record(z.string(), z.number()),
  // Scalers of earlier builds do not say.
  given: givenSchema.nullable().default(null),
  replicas: z.record(z.string(), z.object({ now: count, goal: count, ready: count })),
});
const answerSchema = z.object({ decisions: z.array(recordSchema).max(10_000) });
const listSchema = z.object({ pipelines: z.array(z.object({ namespace: z.string(), name: z.string() })) });

/** Decisions that are asked for. */
const LIMIT = 500;
const TIMEOUT_MS = 10_000;

/**
 * Asks a scaler for one of its decisions.
 *
 * @throws VariscaleError unavailable where it does not answer, not_found where it has no such pipeline or decision.
 */
export async function fetchDecision({ url, pipeline, decisionId }: DecisionQuery): Promise<Decision> {
  const base = `${url.replace(/\/+$/, "")}/api/v1/pipelines`;
  const key = pipeline ?? (await onlyPipeline(base));
  const [namespace, name, ...more] = key.includes("/") ? key.split("/") : ["default", key];
  if (!namespace || !name || more.length > 0)
    throw new VariscaleError("invalid_argument", `${key}: must be namespace/name, as in default/id-card`);
  const path = `${base}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/decisions?limit=${LIMIT}`;
  const { decisions } = await ask(path, answerSchema);
  const newestFirst = decisions.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  const index = decisionId === null ? 0 : newestFirst.findIndex(other => other.decisionId === decisionId);
  const found = newestFirst[index];
  if (!found) {
    const rule =
      decisionId === null
        ? `${key} has no decision yet: it decides when there is load data`
        : `${key} has no decision \`${decisionId}\` among its newest ${decisions.length}: see ${path}`;
    throw new VariscaleError("not_found", rule);
  }
  const before = newestFirst[index + 1];
  return {
    plan: planOf(found, url),
    decisionId: found.decisionId,
    at: found.at,
    pipeline: `${found.namespace}/${found.pipeline}`,
    mode: found.mode,
    loadRps: found.load?.rateRps ?? null,
    corrections: found.corrections,
    given: found.given,
    replicas: found.replicas,
    before: before ? planOf(before, url) : null,
  };
}

function planOf({ plan, reasons, binding, runnerUp }: z.output<typeof recordSchema>, url: string): Plan {
  const parsed = planSchema.safeParse({ ...plan, reasons, binding, runnerUp });
  if (!parsed.success) throw notOurs(url);
  return parsed.data;
}

async function onlyPipeline(base: string): Promise<string> {
  const { pipelines } = await ask(base, listSchema);
  const [first, ...others] = pipelines.map(({ namespace, name }) => `${namespace}/${name}`);
  if (first === undefined) throw new VariscaleError("not_found", "the scaler has no pipeline");
  if (others.length > 0)
    throw new VariscaleError("invalid_argument", `name one of its pipelines: ${[first, ...others].join(", ")}`);
  return first;
}

async function ask<T>(url: string, schema: z.ZodType<T>): Promise<T> {
  let status: number;
  let body: unknown;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    status = answer.status;
    body = await answer.json();
  } catch (error) {
    const rule = `${url} does not answer: ${VariscaleError.from(error).message}. Is --url the scaler's HTTP port?`;
    throw new VariscaleError("unavailable", rule, { cause: error });
  }
  if (status === 404) throw new VariscaleError("not_found", `${url}: there is no such pipeline`);
  const parsed = schema.safeParse(body);
  if (status !== 200 || !parsed.success) throw notOurs(url);
  return parsed.data;
}

function notOurs(url: string): VariscaleError {
  return new VariscaleError("unavailable", `${url} gave no answer of a scaler. Is --url the scaler's HTTP port?`);
}
