import { findStage, type Stage } from "../../domain/pipeline.ts";
import { type ControlState, podKey } from "../control-state.ts";
import type { ServiceTimes } from "../switcher-view.ts";
import type { TickInput } from "../tick-input.ts";

/** The rows of a stage that were served and dropped since the last tick. */
export interface ServedRows {
  rows: number;
  dropped: number;
  readonly rowsByVariant: Map<string, number>;
}

/** The rows by stage, and the counts that the next tick goes on from. */
export interface CountedRows extends Pick<ControlState, "rowsSeen" | "variantRows"> {
  readonly sums: ReadonlyMap<string, ServedRows>;
}

/** Counts what the switchers of each stage served and dropped since the last tick. A pod that is new, or counts from zero again, says nothing yet. */
export function countServedRows(
  { rowsSeen: before, variantRows: variantsBefore }: ControlState,
  { switchers, pipeline }: TickInput,
): CountedRows {
  const sums = new Map<string, ServedRows>();
  const rowsSeen: Record<string, readonly [number, number]> = {};
  const variantRows: Record<string, Readonly<Record<string, number>>> = {};
  for (const view of switchers) {
    const { stage, pod, servedRows, droppedRows } = view;
    if (servedRows === undefined || droppedRows === undefined) continue;
    const key = podKey(stage, pod);
    rowsSeen[key] = [servedRows, droppedRows];
    const [servedBefore, droppedBefore] = before[key] ?? [servedRows, droppedRows];
    const rows = Math.max(0, servedRows - servedBefore);
    const sum = sums.get(stage) ?? { rows: 0, dropped: 0, rowsByVariant: new Map<string, number>() };
    sum.rows += rows;
    sum.dropped += Math.max(0, droppedRows - droppedBefore);
    const byVariant = countByVariant(findStage(pipeline, stage), view.serviceTimes);
    variantRows[key] = byVariant;
    for (const [variant, share] of findShares(view.variant, variantsBefore[key], byVariant))
      sum.rowsByVariant.set(variant, (sum.rowsByVariant.get(variant) ?? 0) + share * rows);
    sums.set(stage, sum);
  }
  return { sums, rowsSeen, variantRows };
}

function countByVariant(
  stage: Stage | undefined,
  serviceTimes: readonly ServiceTimes[],
): Readonly<Record<string, number>> {
  const counts = new Map(stage?.variants.map(({ name }) => [name, 0]));
  for (const { variant, rows, batches } of serviceTimes) {
    const count = counts.get(variant);
    if (count !== undefined) counts.set(variant, count + rows * batches);
  }
  return Object.fromEntries(counts);
}

/** The shares of a pod's rows since the last tick that its rungs served; all are of its top where its batches do not say. */
function findShares(
  top: string,
  before: Readonly<Record<string, number>> | undefined,
  now: Readonly<Record<string, number>>,
): readonly (readonly [variant: string, share: number])[] {
  if (!before) return [[top, 1]];
  const known = new Map(Object.entries(before));
  const served = Object.entries(now).map(
    ([variant, rows]) => [variant, Math.max(0, rows - (known.get(variant) ?? 0))] as const,
  );
  const all = served.reduce((sum, [, rows]) => sum + rows, 0);
  return all > 0 ? served.map(([variant, rows]) => [variant, rows / all] as const) : [[top, 1]];
}
