import { QUARANTINE_CODES } from "../domain/assignment.ts";
import type { StageConfiguration } from "../domain/configuration.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf } from "../domain/plan.ts";
import { accuracyOf, isAccuracyKnown } from "../optimizer/accuracy.ts";
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
  const plannedAccuracy = plan.isAccuracyKnown ? plan.accuracy : null;
  return { accuracy: isAsPlanned ? plannedAccuracy : predictAccuracy(input.pipeline, ready, rows), stages };
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
  const causes = differing.map(view => findCause(view, planned));
  const cause = SERVED_CAUSES.find(one => causes.includes(one)) ?? "Switching";
  const plans = planned.parts.map(({ variant }) => variant).join(" + ");
  const serves = [...new Set(differing.map(({ variant }) => variant))].join(", ");
  const replicasText = `${differing.length} of ${views.length} replicas ${differing.length === 1 ? "serves" : "serve"} ${serves}`;
  const why = describeCause(cause, differing, planned);
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

function findCause(view: SwitcherView, planned: StageConfiguration): ServedCause {
  if (view.pin) return "PinnedInPod";
  return hasFailedLoad(view, planned) ? "LoadFailed" : "Switching";
}

function hasFailedLoad({ nack }: SwitcherView, { parts }: StageConfiguration): boolean {
  return nack !== null && QUARANTINE_CODES.includes(nack.code) && parts.some(part => part.variant === nack.variant);
}

function describeCause(cause: ServedCause, differing: readonly SwitcherView[], planned: StageConfiguration): string {
  switch (cause) {
    case "PinnedInPod":
      return "pinned at its admin endpoint";
    case "LoadFailed": {
      const nack = differing.find(view => hasFailedLoad(view, planned))?.nack;
      return nack ? `${nack.variant} can't be loaded: ${nack.code}: ${nack.message}` : "a variant can't be loaded";
    }
    case "Switching":
      return "switching";
  }
}

/** Every replica of a stage without rows is taken to get the same share of them, all by its top. */
function predictAccuracy(
  pipeline: Pipeline,
  ready: readonly SwitcherView[],
  rows: ReadonlyMap<string, ServedRows>,
): number | null {
  const model = accuracyOf(pipeline);
  const shares = pipeline.stages.map(({ name }) => {
    const served = rows.get(name);
    if (served && served.rows > 0)
      return [...served.rowsByVariant].flatMap(([variant, count]) =>
        count > 0 ? [[variant, count / served.rows] as [string, number]] : [],
      );
    const views = ready.filter(view => view.stage === name);
    const counts = new Map<string, number>();
    for (const { variant } of views) counts.set(variant, (counts.get(variant) ?? 0) + 1 / views.length);
    return [...counts];
  });
  const served = shares.map(stage => stage.map(([variant]) => variant));
  if (!isAccuracyKnown(pipeline, served)) return null;
  const combinations = shares.reduce((product, stage) => product * stage.length, 1);
  if (combinations === 0) return null;
  if (combinations > MOST_COMBINATIONS)
    return shares.reduce(
      (before, stage, s) =>
        stage.reduce((sum, [variant, share]) => {
          const { slope, offset } = model.step(s, variant);
          return sum + share * (slope * before + offset);
        }, 0),
      model.start,
    );
  const sumFrom = (variants: readonly string[], share: number): number => {
    const next = shares[variants.length];
    if (!next) return share * model.of(variants);
    return next.reduce((sum, [variant, part]) => sum + sumFrom([...variants, variant], share * part), 0);
  };
  return sumFrom([], 1);
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
export function isServedOther(
  other: ServedOther | null,
  { pipeline }: TickInput,
  { plan }: ControlState,
  nowMs: number,
) {
  if (!other || !plan) return false;
  const loads = plan.stages.flatMap(({ stage, parts }) => {
    const variants = pipeline.stages.find(one => one.name === stage)?.variants ?? [];
    return parts.map(part => variants.find(one => one.name === part.variant)?.profile?.loadMs ?? 0);
  });
  return nowMs - other.sinceMs >= SETTINGS.servedGraceMs + Math.max(0, ...loads);
}
