import { readFileSync } from "node:fs";
import { z } from "zod";
import { excludeBelowFloors } from "../../control/excluded.ts";
import type { Configuration } from "../../domain/configuration.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { formatIssue, issuesOf, nearest } from "../../domain/file-issue.ts";
import { excludeUnfit, unfitVariants } from "../../domain/memory-fit.ts";
import { findStage, findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { configurationOf, type Plan } from "../../domain/plan.ts";
import { partsSchema, planSchema } from "../../domain/plan-schema.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import { mayCombine, votesOf } from "../../optimizer/composite.ts";
import type { Given } from "../../optimizer/given.ts";
import type { Combining, Problem } from "../../optimizer/problem.ts";
import { votersOf } from "../../optimizer/vote-sets.ts";
import { givenSchema } from "./given-schema.ts";

/** What `variscale plan` is asked, as on its command line. */
export interface PlanRequest {
  readonly rps: number;
  readonly policy?: PolicyName;
  /** File with what is served now. */
  readonly current?: string;
  /** `stage=variant`. */
  readonly pin: readonly string[];
  /** `stage=variant`. */
  readonly exclude: readonly string[];
  /** `stage` or `stage=correlation`. */
  readonly vote: readonly string[];
  readonly split: readonly string[];
  readonly machineCores?: number;
  readonly maxCores?: number;
  readonly minAccuracy?: number;
}

/** A file larger than this is refused unread. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

const configurationSchema = z.record(z.string(), z.object({ parts: partsSchema }));

/**
 * The problem that the optimiser is given for a request.
 *
 * @throws VariscaleError invalid_argument where something names what the pipeline does not have.
 */
export function problemFor(given: Pipeline, request: PlanRequest): Problem {
  const { policy = given.objective.policy, minAccuracy, maxCores } = request;
  const limits = { cores: maxCores ?? null, machineCores: request.machineCores ?? null };
  const objective = { ...given.objective, policy, ...(minAccuracy === undefined ? {} : { minAccuracy }) };
  const pipeline = { ...given, objective };
  const excluded = excludedOf(pipeline, request.exclude);
  const pins = pinsOf(pipeline, request.pin, excluded);
  return {
    pipeline,
    rateRps: request.rps,
    current: request.current === undefined ? null : readCurrent(pipeline, request.current),
    corrections: {},
    excluded: excludeBelowFloors(pipeline, excludeUnfit(pipeline, excluded), pins),
    pins,
    limits,
    bounds: {},
    combine: combiningOf(pipeline, request),
  };
}

function excludedOf(pipeline: Pipeline, pairs: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const excluded: Record<string, readonly string[]> = {};
  for (const pair of pairs) {
    const [name, variant] = pairOf(pipeline, "--exclude", pair);
    const all = [...(excluded[name] ?? []), variant];
    if (findStage(pipeline, name)?.variants.every(other => all.includes(other.name)))
      throw new VariscaleError("invalid_argument", `--exclude ${pair}: leaves no variant of stage \`${name}\``);
    excluded[name] = all;
  }
  return excluded;
}

function pinsOf(pipeline: Pipeline, pairs: readonly string[], excluded: Problem["excluded"]): Problem["pins"] {
  const pinned = new Map<string, string>();
  for (const pair of pairs) {
    const [name, variant] = pairOf(pipeline, "--pin", pair);
    const before = pinned.get(name);
    if (before !== undefined && before !== variant)
      throw new VariscaleError("invalid_argument", `--pin ${pair}: the stage is pinned to \`${before}\` already`);
    const unfit = unfitVariants(pipeline).find(one => one.stage === name && one.variant === variant);
    if (unfit) throw new VariscaleError("invalid_argument", `--pin ${pair}: ${unfit.message}`);
    if (excluded[name]?.includes(variant))
      throw new VariscaleError("invalid_argument", `--pin ${pair}: the variant is excluded as well; leave one out`);
    pinned.set(name, variant);
  }
  return [...pinned].map(([stage, variant]) => ({ stage, variant, batch: null, replicas: null }));
}

/** Correlation of the errors of variants that vote, where it is not given: about what pretrained models have. */
const CORRELATION = 0.5;

/** What the policy plans by itself, and what is asked for. */
function combiningOf(pipeline: Pipeline, request: PlanRequest): Readonly<Record<string, Combining>> {
  const { vote, split } = request;
  const combine: Record<string, Combining> = { ...votesOf(pipeline) };
  for (const name of split) {
    const stage = stageNamed(pipeline, "--split", name);
    checkCombining(pipeline, request, stage, `--split ${name}`, 2);
    combine[stage.name] = { kind: "split" };
  }
  for (const pair of vote) {
    const [name = "", given, more] = pair.split("=");
    const stage = stageNamed(pipeline, "--vote", name);
    const correlation = given === undefined ? (stage.votes?.correlation ?? CORRELATION) : Number(given || Number.NaN);
    if (split.includes(name))
      throw new VariscaleError("invalid_argument", `--vote ${pair}: \`${name}\` is split already; leave one out`);
    if (more !== undefined || !(correlation >= 0 && correlation <= 1))
      throw new VariscaleError("invalid_argument", `--vote ${pair}: the correlation must be a number from 0 to 1`);
    checkCombining(pipeline, request, stage, `--vote ${pair}`, 3);
    combine[stage.name] = { kind: "vote", correlation };
  }
  return combine;
}

/** What would be asked for in vain is an error. */
function checkCombining(pipeline: Pipeline, request: PlanRequest, stage: Stage, what: string, least: number): void {
  const { policy } = pipeline.objective;
  if (!mayCombine(policy))
    throw new VariscaleError(
      "invalid_argument",
      `${what}: the policy ${policy} does not choose variants and replicas; give another with --policy`,
    );
  const pin = request.pin.find(pair => pair.startsWith(`${stage.name}=`));
  if (pin !== undefined)
    throw new VariscaleError("invalid_argument", `${what}: the stage is pinned by --pin ${pin}; leave one out`);
  const usable = votersOf(stage.variants).length;
  if (usable < least)
    throw new VariscaleError(
      "invalid_argument",
      `${what}: needs ${least} variants with a profile and an accuracy, and \`${stage.name}\` has ${usable}; run \`variscale profile\``,
    );
}

/** A plan, and what it was made with; null: the file does not say. */
export interface WrittenPlan {
  readonly plan: Plan;
  readonly given: Given | null;
}

const writtenSchema = z.object({ given: givenSchema.nullable().default(null) });

/**
 * Reads a plan that `variscale plan --output json` wrote.
 *
 * @throws VariscaleError not_found or invalid_argument.
 */
export function readPlan(path: string): WrittenPlan {
  const value = readJson(path);
  return { plan: parsed(path, value, planSchema), ...parsed(path, value, writtenSchema) };
}

/** Of a plan, or of a configuration: `{ "STAGE": { "parts": [{ "variant", "batch", "replicas", "share" }] } }`. */
function readCurrent(pipeline: Pipeline, path: string): Configuration {
  const value = readJson(path);
  const isPlan = typeof value === "object" && value !== null && Array.isArray((value as { stages?: unknown }).stages);
  const current = isPlan ? configurationOf(parsed(path, value, planSchema)) : parsed(path, value, configurationSchema);
  for (const [name, { parts }] of Object.entries(current)) {
    const stage = stageNamed(pipeline, path, name);
    for (const { variant } of parts) checkVariant(stage, path, variant);
  }
  return current;
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = VariscaleError.from(error).message;
    throw new VariscaleError(
      "not_found",
      `${path} can't be read: ${why}. Name a file that \`variscale plan … --output json\` has written.`,
      { cause: error },
    );
  }
  if (text.length > MAX_CHARACTERS)
    throw new VariscaleError("invalid_argument", `${path}: has more than ${MAX_CHARACTERS} characters`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VariscaleError("invalid_argument", `${path} is not JSON: ${VariscaleError.from(error).message}`, {
      cause: error,
    });
  }
}

function parsed<T>(path: string, value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = issuesOf(result.error, value, []).map(issue => `  ${formatIssue(issue)}`);
  throw new VariscaleError("invalid_argument", [`${path} is not valid:`, ...issues.slice(0, 20)].join("\n"));
}

function pairOf(pipeline: Pipeline, option: string, pair: string): [stage: string, variant: string] {
  const at = pair.indexOf("=");
  if (at < 1) throw new VariscaleError("invalid_argument", `${option} ${pair}: must be stage=variant`);
  const stage = stageNamed(pipeline, option, pair.slice(0, at));
  const variant = pair.slice(at + 1);
  checkVariant(stage, option, variant);
  return [stage.name, variant];
}

function stageNamed(pipeline: Pipeline, where: string, name: string): Stage {
  const stage = findStage(pipeline, name);
  const names = pipeline.stages.map(other => other.name);
  if (!stage) throw unknownName(where, "stage", name, names);
  return stage;
}

function checkVariant(stage: Stage, where: string, name: string): void {
  const names = stage.variants.map(variant => variant.name);
  if (!findVariant(stage, name)) throw unknownName(where, `variant of stage \`${stage.name}\``, name, names);
}

function unknownName(where: string, what: string, name: string, known: readonly string[]): VariscaleError {
  const near = nearest(name, known);
  const fix = near === null ? `Write one of: ${known.join(", ")}.` : `Did you mean \`${near}\`?`;
  return new VariscaleError("invalid_argument", `${where}: there is no ${what} \`${name.slice(0, 80)}\`. ${fix}`);
}
