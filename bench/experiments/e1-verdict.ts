import type { ExperimentRow } from "./report-parts.ts";

/** What counts as the same: half a percent of the cores, a tenth of a point of accuracy. */
export const SAME_CORES = 0.005;
export const SAME_SHARE = 0.001;
/** Of a violation share: three in a thousand requests. */
const SAME_VIOLATIONS = 0.003;

/**
 * What our frontier gains on one rival in one cell; null: nothing of it has as few violations and cores. Nothing is saved where nothing of it is
 * as accurate.
 */
export function versus(
  cell: readonly ExperimentRow[],
  name: string,
): { readonly gain: number; readonly saved: number; readonly isAsAccurate: boolean } | null {
  const rival = cell.find(({ contender }) => contender === name);
  if (!rival) return null;
  const fair = ours(cell).filter(({ violations }) => violations <= rival.violations + SAME_VIOLATIONS);
  const within = fair.filter(({ cores }) => cores <= rival.cores * (1 + SAME_CORES));
  const asAccurate = fair.filter(({ effectiveAccuracy }) => effectiveAccuracy >= rival.effectiveAccuracy - SAME_SHARE);
  if (within.length === 0) return null;
  const gain = Math.max(...within.map(({ effectiveAccuracy }) => effectiveAccuracy)) - rival.effectiveAccuracy;
  const least = Math.min(...asAccurate.map(({ cores }) => cores));
  const isAsAccurate = asAccurate.length > 0;
  return { gain, saved: isAsAccurate ? 1 - least / rival.cores : 0, isAsAccurate };
}

function ours(cell: readonly ExperimentRow[]): readonly ExperimentRow[] {
  return cell.filter(({ contender }) => contender.startsWith("default"));
}

/** The oracle knows what comes, and our own frontier is no rival. */
function dominates(rival: ExperimentRow, own: ExperimentRow | undefined): boolean {
  if (!own || rival.contender.startsWith("default") || rival.contender === "oracle") return false;
  return (
    rival.effectiveAccuracy > own.effectiveAccuracy + SAME_SHARE &&
    rival.cores < own.cores * (1 - SAME_CORES) &&
    rival.violations <= own.violations
  );
}

/** Names of what beats `default` on all three at once. */
export function beatersOf(cell: readonly ExperimentRow[]): readonly string[] {
  return cell.filter(rival => dominates(rival, ours(cell)[0])).map(({ contender }) => contender);
}

/** Everything that ran one pipeline under one load with one seed. */
export function cellsOf(rows: readonly ExperimentRow[]): readonly (readonly ExperimentRow[])[] {
  return [...new Set(rows.map(cellOf))].map(cell => rows.filter(row => cellOf(row) === cell));
}

function cellOf({ pipeline, load, seed }: ExperimentRow): string {
  return `${pipeline}/${load}/${seed}`;
}
