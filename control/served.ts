import { QUARANTINE_CODES } from "../domain/assignment.ts";
import type { StageConfiguration } from "../domain/configuration.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf } from "../domain/plan.ts";
import { accuracyOf, isAccuracyKnown } from "../optimizer/accuracy.ts";
import { mixedAccuracy } from "../optimizer/predict.ts";
import type { ControlState } from "./control-state.ts";
import type { ServedRows } from "./rows/served-rows.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/** The reason why a replica serves another variant than is planned for it, the gravest first. */
export const SERVED_CAUSES = ["PinnedInPod", "LoadFailed", "Switching"] as const;
export type ServedCause = (typeof SERVED_CAUSES)[number];

/** The variants that the ready replicas of a stage serve, beside those that are planned. */
export interface ServedStage {
  readonly stage: string;
  /** Ready replicas. */
  readonly ready: number;
  /** Ready replicas that serve another variant than is planned for them. */
  readonly differing: number;
  /** A sentence about them; empty where none differs. */
  readonly message: string;
  readonly cause: ServedCause | null;
}

export interface Served {
  /** Predicted share of right answers with the variants that served the rows since the last tick, else with those that are served; null while a stage has no ready switcher, or one serves a variant of unknown accuracy. */
  readonly accuracy: number | null;
  readonly stages: readonly ServedStage[];
}

/** The time that replicas serve something else than is planned, short pauses included. */
export interface ServedOther {
  readonly sinceMs: number;
  /** The newest tick at which one did. */
  readonly lastMs: number;
}

/** More combinations of served variants than this are not looked up one by one. */
const MOST_COMBINATIONS = 256;

/**
 * Compares what ready switchers serve with the plan; null before the first plan and where no stage has switchers.
 *
 * @param rows what each stage served since the last tick.
 */
export function compareServed(
  state: ControlState,
  input: TickInput,
  rows: ReadonlyMap<string, ServedRows>,
): Served | null {
  const { plan, trial } = state;
  const ready = input.switchers.filter(view => view.ready);
  if (!plan || ready.length === 0) return null;
  const planned = trial?.configuration ?? configurationOf(plan);
  const stages = input.pipeline.stages.map(({ name }) => {
    const views = ready.filter(view => view.stage === name);
    return compareStage(name, views, planned[name] ?? { parts: [] });
  });
  const isAsPlanned =
    trial === null &&
    stages.every(
      ({ stage, ready: count, differing }) =>
        count > 0 && differing === 0 && isOfVariants(rows.get(stage), planned[stage] ?? { parts: [] }),
    );
  // A plan for what is expected counts lighter variants that serve when more comes.
  const isOfPlanned = isAsPlanned && !plan.reasons.includes("expected");
  const plannedAccuracy = plan.isAccuracyKnown ? plan.accuracy : null;
  return { accuracy: isOfPlanned ? plannedAccuracy : predictAccuracy(input.pipeline, ready, rows), stages };
}

/** Lighter rungs have served none of the rows. */
function isOfVariants(rows: ServedRows | undefined, { parts }: StageConfiguration): boolean {
  return [...(rows?.rowsByVariant ?? [])].every(
    ([variant, count]) => count === 0 || parts.some(part => part.variant === variant),
  );
}

function compareStage(stage: string, views: readonly SwitcherView[], planned: StageConfiguration): ServedStage {
  const differing = findDiffering(views, planned);
  if (differing.length === 0) return { stage, ready: views.length, differing: 0, message: "", cause: null };
  const [gravest] = differing
    .map(view => explain(view, planned))
    .sort((a, b) => SERVED_CAUSES.indexOf(a.cause) - SERVED_CAUSES.indexOf(b.cause));
  const { cause, why } = gravest ?? SWITCHING;
  const plans = planned.parts.map(({ variant }) => variant).join(" + ");
  const serves = [...new Set(differing.map(({ variant }) => variant))].join(", ");
  const replicasText = `${differing.length} of ${views.length} replicas ${differing.length === 1 ? "serves" : "serve"} ${serves}`;
  return {
    stage,
    ready: views.length,
    differing: differing.length,
    message: `${stage}: plans ${plans}; ${replicasText} (${why})`,
    cause,
  };
}

/** Replicas beyond the planned number may serve any planned variant, until they are given back. */
function findDiffering(views: readonly SwitcherView[], { parts }: StageConfiguration): readonly SwitcherView[] {
  const planned = new Map<string, number>();
  for (const { variant, replicas } of parts) planned.set(variant, (planned.get(variant) ?? 0) + replicas);
  const total = parts.reduce((sum, part) => sum + part.replicas, 0);
  let extra = Math.max(0, views.length - total);
  return views.filter(({ variant }) => {
    const left = planned.get(variant);
    if (left === undefined) return true;
    planned.set(variant, left - 1);
    if (left > 0) return false;
    extra -= 1;
    return extra < 0;
  });
}

interface Explanation {
  readonly cause: ServedCause;
  readonly why: string;
}

const SWITCHING: Explanation = { cause: "Switching", why: "switching" };

function explain({ pin, nack }: SwitcherView, { parts }: StageConfiguration): Explanation {
  if (pin) return { cause: "PinnedInPod", why: "pinned at its admin endpoint" };
  const isPlanned = parts.some(part => part.variant === nack?.variant);
  if (!nack || !isPlanned || !QUARANTINE_CODES.includes(nack.code)) return SWITCHING;
  return { cause: "LoadFailed", why: `${nack.variant} can't be loaded: ${nack.code}: ${nack.message}` };
}

/** Every replica of a stage without rows is taken to get the same share of them, all by its top. */
function predictAccuracy(
  pipeline: Pipeline,
  ready: readonly SwitcherView[],
  rows: ReadonlyMap<string, ServedRows>,
): number | null {
  const shares = pipeline.stages.map(({ name }) => {
    const seen = rows.get(name);
    const views = ready.filter(view => view.stage === name);
    const counts = seen && seen.rows > 0 ? seen.rowsByVariant : countVariants(views);
    const sum = [...counts.values()].reduce((total, count) => total + count, 0);
    return [...counts].flatMap(([variant, count]) => (count > 0 ? [{ variant, share: count / sum }] : []));
  });
  const served = shares.map(stage => stage.map(({ variant }) => variant));
  const isServed = served.every(variants => variants.length > 0);
  if (!isServed || !isAccuracyKnown(pipeline, served)) return null;
  return mixedAccuracy(accuracyOf(pipeline), shares, MOST_COMBINATIONS);
}

function countVariants(views: readonly SwitcherView[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { variant } of views) counts.set(variant, (counts.get(variant) ?? 0) + 1);
  return counts;
}

/** Differences with short pauses between them are one; a switcher that goes to and fro is not taken for one that serves the plan. */
export function observeServedOther(
  before: ServedOther | null,
  served: Served | null,
  nowMs: number,
): ServedOther | null {
  if (served?.stages.some(stage => stage.differing > 0)) return { sinceMs: before?.sinceMs ?? nowMs, lastMs: nowMs };
  return before && nowMs - before.lastMs < SETTINGS.servedSettleMs ? before : null;
}

/** An ordinary switch takes as long as the load of its model; only a difference that lasts longer is told. */
export function isServedOther({ plan, servedOther }: ControlState, { pipeline }: TickInput, nowMs: number): boolean {
  if (!servedOther || !plan) return false;
  const loads = plan.stages.flatMap(({ stage, parts }) => {
    const variants = pipeline.stages.find(one => one.name === stage)?.variants ?? [];
    return parts.map(part => variants.find(one => one.name === part.variant)?.profile?.loadMs ?? 0);
  });
  return nowMs - servedOther.sinceMs >= SETTINGS.servedGraceMs + Math.max(0, ...loads);
}
