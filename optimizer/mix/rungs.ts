import { type AssignedRung, type Assignment, findLadderRungs, MAX_RUNGS } from "../../domain/assignment.ts";
import type { Part } from "../../domain/configuration.ts";
import { findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { serviceMs, throughputRps } from "../../domain/profile.ts";
import type { Profile } from "../../domain/profile-schema.ts";
import type { Serving } from "../../domain/serving/serving-schema.ts";
import { accuracyOf } from "../accuracy.ts";
import { POLICIES } from "../policies.ts";
import type { StagePin } from "../problem.ts";

/** The rungs of a stage's replicas, and those of them that may serve. */
export type Rungs = Pick<Assignment, "rungs" | "top" | "floor">;

/** The variant and batch size that are planned for a replica. */
export type PlannedTop = Pick<Part, "variant" | "batch">;

export interface RungsGiven {
  /** The plan's variant of each stage, by stage. */
  readonly planned: Readonly<Record<string, string>>;
  /** Variants of the stage that may not be used now. */
  readonly excluded: readonly string[];
}

interface Candidate {
  readonly variant: string;
  readonly profile: Profile;
  /** Milliseconds of one row in batches of the best size. */
  readonly rowMs: number;
}

/** Whether replicas of a stage serve the planned variant alone: they have no other, or only count what they would choose. */
export function isServedFixed(pipeline: Pipeline, pins: readonly StagePin[], stage: string): boolean {
  return pipeline.serving.shadow || hasOneRung(pipeline, pins, stage);
}

/** Whether replicas of a stage are given the planned variant alone: the pipeline file or its policy says so, or a pin. */
export function hasOneRung(pipeline: Pipeline, pins: readonly StagePin[], stage: string): boolean {
  return !hasLadder(pipeline) || pins.some(pin => pin.stage === stage && pin.variant !== null && !pin.mayGoLighter);
}

/** Whether replicas that nobody has pinned may serve lighter variants than the planned one. */
export function mayServeLighter(pipeline: Pipeline): boolean {
  return hasLadder(pipeline) && !pipeline.serving.shadow;
}

/** A pod that has the cores of its planned variant alone has none for the batches of another one. */
function hasLadder({ serving, objective }: Pipeline): boolean {
  return serving.rule === "ladder" && POLICIES[objective.policy].ladder && objective.podShape === "stage";
}

/** The planned variant, and no other. */
export function serveAlone({ variant, batch }: PlannedTop): Rungs {
  return { rungs: [{ variant, maxBatch: batch }], top: variant, floor: variant };
}

/**
 * The rungs below and above the planned variant. Those that are less accurate than a mix of a heavier and a lighter one that takes as long (under
 * the concave hull of time and accuracy) are left out, but for the planned one. Of more than MAX_RUNGS the planned one, the lightest and
 * those next to the planned one stay. No rung's full batch takes longer than that of the planned one, as far as batch sizes allow.
 */
export function chooseRungs(pipeline: Pipeline, stage: Stage, planned: PlannedTop, given: RungsGiven): Rungs {
  const profile = findVariant(stage, planned.variant)?.profile;
  if (!profile) return serveAlone(planned);
  const top = toCandidate(planned.variant, profile);
  const usable = findUsable(pipeline, stage, given.excluded);
  const onHull = findHull(usable, accuracyWith(pipeline, stage, usable, given.planned));
  const others = onHull.filter(({ variant }) => variant !== top.variant);
  // Heaviest first: on the hull that is the most accurate first.
  const ordered = [top, ...others].sort((a, b) => b.rowMs - a.rowMs);
  const longestMs = serviceMs(profile, planned.batch);
  const rungs = keepNearest(ordered, top).map(
    ({ variant, profile: own }): AssignedRung => ({
      variant,
      maxBatch: variant === top.variant ? planned.batch : largestBatchWithin(own, longestMs),
    }),
  );
  return { rungs, top: top.variant, floor: rungs.at(-1)?.variant ?? top.variant };
}

/**
 * Milliseconds of one batch with a request's rows, or as many of them as it takes, of the lightest rung that may serve and that a replica has in memory,
 * as it was measured; 0 where it was not. While no replica has any, it is the floor, which is loaded first.
 */
export function leastBatchMs(stage: Stage, rungs: Rungs, rows: number, isLoaded: (variant: string) => boolean): number {
  const serving = findLadderRungs(rungs);
  const least = serving.findLast(({ variant }) => isLoaded(variant)) ?? serving.at(-1);
  const profile = least && findVariant(stage, least.variant)?.profile;
  return profile ? serviceMs(profile, Math.min(least.maxBatch, Math.max(1, Math.ceil(rows)))) : 0;
}

/** Variants below the pipeline file's floor of a stage, which are never served: those that take less time for a row. */
export function findBelowFloor({ floor: floors }: Serving, stage: Stage): readonly string[] {
  const floor = floors[stage.name];
  const profile = floor === undefined ? null : findVariant(stage, floor)?.profile;
  if (!profile) return [];
  const leastMs = findRowMs(profile);
  return stage.variants.flatMap(other =>
    other.name !== floor && other.profile && findRowMs(other.profile) < leastMs ? [other.name] : [],
  );
}

function findUsable(pipeline: Pipeline, stage: Stage, excluded: readonly string[]): readonly Candidate[] {
  const leftOut = new Set([...excluded, ...findBelowFloor(pipeline.serving, stage)]);
  return stage.variants.flatMap(({ name, profile }) =>
    profile && !leftOut.has(name) ? [toCandidate(name, profile)] : [],
  );
}

function toCandidate(variant: string, profile: Profile): Candidate {
  return { variant, profile, rowMs: findRowMs(profile) };
}

/** Milliseconds of one row in batches of the best size. */
export function findRowMs(profile: Profile): number {
  return 1000 / Math.max(...profile.points.map(({ batch }) => throughputRps(profile, batch)));
}

/** The pipeline's accuracy with a variant, beside the plan's variants of the other stages; null where that of one is not known. */
function accuracyWith(
  pipeline: Pipeline,
  stage: Stage,
  usable: readonly Candidate[],
  planned: RungsGiven["planned"],
): ((variant: string) => number) | null {
  const model = accuracyOf(pipeline);
  const combine = (variant: string): readonly string[] =>
    pipeline.stages.map(({ name }) => (name === stage.name ? variant : (planned[name] ?? "")));
  const isKnown = usable.every(
    ({ variant }) => findVariant(stage, variant)?.accuracy != null || model.isMeasured(combine(variant)),
  );
  return isKnown ? variant => model.of(combine(variant)) : null;
}

/** The candidates on the upper concave hull of time and accuracy; all where accuracies are not known, as heavier ones count as better then. */
function findHull(
  candidates: readonly Candidate[],
  accuracy: ((variant: string) => number) | null,
): readonly Candidate[] {
  if (accuracy === null) return candidates;
  const points = candidates.map(candidate => ({ candidate, x: candidate.rowMs, y: accuracy(candidate.variant) }));
  const hull: typeof points = [];
  for (const next of points.sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (next.y <= (hull.at(-1)?.y ?? Number.NEGATIVE_INFINITY)) continue;
    while (isUnder(hull.at(-2), hull.at(-1), next)) hull.pop();
    hull.push(next);
  }
  return hull.map(({ candidate }) => candidate);
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Whether a point lies under the line between the two beside it. */
function isUnder(before: Point | undefined, point: Point | undefined, after: Point): boolean {
  if (!before || !point) return false;
  return (point.y - before.y) * (after.x - before.x) < (after.y - before.y) * (point.x - before.x);
}

/** At most MAX_RUNGS, in the same order: the top, the lightest, and of the others those next to the top, lighter ones first. */
function keepNearest(ordered: readonly Candidate[], top: Candidate): readonly Candidate[] {
  if (ordered.length <= MAX_RUNGS) return ordered;
  const topAt = ordered.indexOf(top);
  const ranks = ordered.map((candidate, at) => {
    const isNeeded = candidate === top || at === ordered.length - 1;
    return { candidate, distance: isNeeded ? 0 : Math.abs(at - topAt), at };
  });
  const kept = ranks.sort((a, b) => a.distance - b.distance || b.at - a.at).slice(0, MAX_RUNGS);
  return kept.sort((a, b) => a.at - b.at).map(({ candidate }) => candidate);
}

/** The largest measured batch size that takes no longer; 1 where all do. */
function largestBatchWithin({ points }: Profile, longestMs: number): number {
  const sizes = points.filter(({ latencyMs }) => latencyMs <= longestMs).map(({ batch }) => batch);
  return Math.max(1, ...sizes);
}
