/** The figures of the part `real`, from its cells: one for each pipeline and load. */
import { type Figure, figure } from "../figure.ts";
import { rounded } from "../samples.ts";
import type { PairedDifference } from "./paired-difference.ts";
import type { RunRow } from "./play-contender.ts";

export interface Cell {
  /** The pipeline and the load. */
  readonly name: string;
  readonly sloMs: number;
  readonly difference: PairedDifference;
  /** Runs of the product, and of the picked fixed combination with the same seeds. */
  readonly ours: readonly RunRow[];
  readonly theirs: readonly RunRow[];
}

const SLO_SHARE = 0.6;
const OF_FIXED = 1.5;
/** A cell with fewer requests says little. */
const LEAST_REQUESTS = 2000;

export function createFigures(cells: readonly Cell[], isShort: boolean): Figure[] {
  const isWhole = !isShort && cells.every(({ difference }) => difference.requests >= LEAST_REQUESTS);
  const worst = cells.reduce((least, cell) =>
    cell.difference.upperPoints < least.difference.upperPoints ? cell : least,
  );
  const counts = cells.map(({ difference }) => difference.requests);
  const how = isShort
    ? "the best fixed combination by simulation alone, one seed; too short to count"
    : "the best fixed combination is picked among five on one seed and judged on three others";
  const runs = cells.flatMap(({ ours, theirs }) => [...ours, ...theirs]);
  const speeds = runs.map(({ speedFactor }) => speedFactor);
  const differences = cells.flatMap(({ name, difference }) => [
    [name, rounded(difference.points)],
    [`${name} upper`, rounded(difference.upperPoints)],
  ]);
  const ratios = cells.map(cell => [cell.name, rounded(compareP50(cell))] as const);
  const largest = Math.max(...ratios.map(([, ratio]) => ratio));
  return [
    figure("ladder.vsBestFixed.worst", rounded(worst.difference.upperPoints), {
      against: { point: rounded(worst.difference.points), ...Object.fromEntries(differences) },
      isWhole,
      note: `points of requests that are right and within the SLO, product less best fixed, paired by request; upper end of the one-sided 95 % interval in ${worst.name}, the worst of ${cells.length} cells of ${Math.min(...counts)} to ${Math.max(...counts)} requests; ${how}; ${cells.map(describeCell).join("; ")}; speed factors ${Math.min(...speeds)} to ${Math.max(...speeds)}`,
    }),
    figure("ladder.p50", Number.isFinite(largest) ? largest : null, {
      against: Object.fromEntries(ratios.filter(([, ratio]) => Number.isFinite(ratio))),
      isWhole,
      note: `median latency over the larger of ${SLO_SHARE} × SLO and ${OF_FIXED} × the best fixed combination's, worst cell`,
    }),
  ];
}

/** The product's median over what it may be; infinite where it served nothing. */
function compareP50({ sloMs, ours, theirs }: Cell): number {
  const p50Ms = meanOver(ours, row => row.p50Ms ?? Number.POSITIVE_INFINITY);
  const fixedMs = meanOver(theirs, row => row.p50Ms ?? 0);
  return p50Ms / Math.max(SLO_SHARE * sloMs, OF_FIXED * fixedMs);
}

function describeCell({ name, ours, theirs }: Cell): string {
  return `${name}: ${describeRuns(ours)}, ${describeRuns(theirs)}`;
}

function describeRuns(rows: readonly RunRow[]): string {
  const effective = meanOver(rows, row => row.effectivePercent);
  const coreSeconds = meanOver(rows, row => row.coreSeconds);
  const p50Ms = meanOver(rows, row => row.p50Ms ?? Number.NaN);
  const p95Ms = meanOver(rows, row => row.p95Ms ?? Number.NaN);
  const dropped = rows.reduce((sum, row) => sum + row.dropped, 0);
  const lost = rows.reduce((sum, row) => sum + row.lost, 0);
  return `${rows[0]?.contender} ${rounded(effective)} % (p50 ${rounded(p50Ms)} ms, p95 ${rounded(p95Ms)} ms, ${rounded(coreSeconds)} core-seconds, ${dropped} dropped, ${lost} lost)`;
}

function meanOver(rows: readonly RunRow[], read: (row: RunRow) => number): number {
  return rows.reduce((sum, row) => sum + read(row), 0) / rows.length;
}
