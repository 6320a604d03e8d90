import type { LiveHistory, PipelineColumn, StageColumn } from "./live-view.ts";

/** Points that the page keeps: a little more than the scaler does. */
const MOST_POINTS = 900;

/** One second of a pipeline. */
export interface Point {
  readonly atMs: number;
  readonly decisionId: string | null;
  readonly values: Readonly<Record<PipelineColumn, number | null>>;
  /** In the order of the pipeline's stages. */
  readonly stages: readonly Readonly<Record<StageColumn, number | null>>[];
}

/** What was known with what came since, oldest first. A clock that was set back, or a pipeline with other stages, starts anew. */
export function extended(known: readonly Point[], history: LiveHistory): readonly Point[] {
  const fresh = pointsOf(history);
  const [first] = fresh;
  if (!first) return known;
  const last = known.at(-1);
  const isAnew = last !== undefined && (first.atMs <= last.atMs || first.stages.length !== last.stages.length);
  return [...(isAnew ? [] : known), ...fresh].slice(-MOST_POINTS);
}

function pointsOf({ atMs, decisionId, values, stages }: LiveHistory): Point[] {
  return atMs.map((at, i) => ({
    atMs: at,
    decisionId: decisionId[i] ?? null,
    values: rowOf(values, i),
    stages: stages.map(columns => rowOf(columns, i)),
  }));
}

function rowOf<K extends string>(
  columns: Readonly<Record<K, readonly (number | null)[]>>,
  i: number,
): Record<K, number | null> {
  const names = Object.keys(columns) as K[];
  return Object.fromEntries(names.map(name => [name, columns[name][i] ?? null])) as Record<K, number | null>;
}

/**
 * The highest second that came within the horizon of each point's forecast: what that forecast was of. Null until the horizon is over, and
 * where a second of it is not known.
 */
export function peaksThatCame(points: readonly Point[]): readonly (number | null)[] {
  const newestMs = points.at(-1)?.atMs ?? 0;
  return points.map(({ atMs, values: { horizonMs } }, i) => {
    if (horizonMs === null || atMs + horizonMs > newestMs) return null;
    let peak: number | null = null;
    for (let j = i + 1; j < points.length; j++) {
      const later = points[j];
      if (!later || later.atMs > atMs + horizonMs) break;
      const { loadRps } = later.values;
      if (loadRps === null) return null;
      peak = Math.max(peak ?? 0, loadRps);
    }
    return peak;
  });
}

/** A decision as far as the history shows it. */
export interface SeenDecision {
  readonly decisionId: string;
  readonly atMs: number;
  /** Variant and replicas of every stage at its end, to compare. */
  readonly configuration: string;
  /** Whether stages serve otherwise than under the decision before; the first one that is seen changes nothing. */
  readonly changes: boolean;
}

/** Newest first. */
export function decisionsOf(points: readonly Point[]): readonly SeenDecision[] {
  const seen: SeenDecision[] = [];
  for (const { atMs, decisionId, stages } of points) {
    if (decisionId === null) continue;
    const configuration = JSON.stringify(stages.map(({ variant, replicasNow }) => [variant, replicasNow]));
    const last = seen.at(-1);
    if (last?.decisionId !== decisionId) {
      seen.push({ decisionId, atMs, configuration, changes: false });
      continue;
    }
    const before = seen.at(-2);
    seen[seen.length - 1] = {
      ...last,
      configuration,
      changes: before !== undefined && before.configuration !== configuration,
    };
  }
  return seen.reverse();
}
