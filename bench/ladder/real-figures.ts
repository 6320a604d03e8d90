/** The figures of the part `real`, from its cells: one for each pipeline and load. */
import { type Figure, figure } from "../figure.ts";
import { rounded } from "../samples.ts";
import type { DisturbanceKind } from "./conditions.ts";
import type { PairedDifference } from "./paired-difference.ts";
import type { RunRow } from "./play-contender.ts";

/** The loads and seeds of the runs: all; all loads with one seed and the best fixed combination by simulation; the demo's load in the same way. */
export type Extent = "whole" | "oneSeed" | "short";

export interface Cell {
  /** The pipeline and the load. */
  readonly name: string;
  readonly disturbance: DisturbanceKind | null;
  readonly sloMs: number;
  readonly difference: PairedDifference;
  /** Runs of the product, and of the picked fixed combination with the same seeds. */
  readonly ours: readonly RunRow[];
  readonly theirs: readonly RunRow[];
  /** Runs of the other families with the seed of the product's first run, and how far the product was above each. */
  readonly beside: readonly { readonly row: RunRow; readonly difference: PairedDifference }[];
  /** Requests that a clairvoyant would have answered right and in time with the same cores. */
  readonly clairvoyantPercent: number;
  /** Requests of the product that were not in time, although the lightest variants would have been. */
  readonly avoidablePercent: number;
}

const SLO_SHARE = 0.6;
const OF_FIXED = 1.5;
/** A cell with fewer requests says little. */
const LEAST_REQUESTS = 2000;
/** Where the clairvoyant is hardly above the best fixed combination, a share of the gap says nothing. */
const LEAST_GAP_POINTS = 2;

export function createFigures(cells: readonly Cell[], extent: Extent): Figure[] {
  const isWhole = extent === "whole" && cells.every(({ difference }) => difference.requests >= LEAST_REQUESTS);
  return [
    compareWithFixed(cells, extent, isWhole),
    compareWithClairvoyant(cells, isWhole),
    ...compareAvoidable(cells, isWhole),
    compareMedians(cells, isWhole),
  ];
}

function compareWithFixed(cells: readonly Cell[], extent: Extent, isWhole: boolean): Figure {
  const worst = cells.reduce((least, cell) =>
    cell.difference.upperPoints < least.difference.upperPoints ? cell : least,
  );
  const counts = cells.map(({ difference }) => difference.requests);
  const how =
    extent === "whole"
      ? "the best fixed combination is picked among five on one seed and judged on three others; contenders behind an HPA by one seed"
      : "the best fixed combination by simulation alone, one seed; too little to count";
  const runs = cells.flatMap(({ ours, theirs }) => [...ours, ...theirs]);
  const speeds = runs.map(({ speedFactor }) => speedFactor);
  const differences = cells.flatMap(({ name, difference, beside }) => [
    [name, rounded(difference.points)],
    [`${name} upper`, rounded(difference.upperPoints)],
    ...beside.map(({ row, difference: other }) => [`${name} less ${row.contender}`, rounded(other.points)]),
  ]);
  return figure("ladder.vsBestFixed.worst", rounded(worst.difference.upperPoints), {
    against: { point: rounded(worst.difference.points), ...Object.fromEntries(differences) },
    isWhole,
    note: `points of requests that are right and within the SLO, product less best fixed, paired by request; upper end of the one-sided 95 % interval in ${worst.name}, the worst of ${cells.length} cells of ${Math.min(...counts)} to ${Math.max(...counts)} requests; ${how}; ${cells.map(describeCell).join("; ")}; speed factors ${Math.min(...speeds)} to ${Math.max(...speeds)}`,
  });
}

function compareWithClairvoyant(cells: readonly Cell[], isWhole: boolean): Figure {
  const gaps = cells.flatMap(({ name, ours, theirs, clairvoyantPercent }) => {
    const fixed = meanOver(theirs, row => row.effectivePercent);
    const gap = clairvoyantPercent - fixed;
    const closed = (meanOver(ours, row => row.effectivePercent) - fixed) / gap;
    return gap >= LEAST_GAP_POINTS ? [[name, rounded(closed)] as const] : [];
  });
  const bounds = cells.map(cell => [`${cell.name} clairvoyant`, rounded(cell.clairvoyantPercent)] as const);
  const mean = gaps.reduce((sum, [, closed]) => sum + closed, 0) / gaps.length;
  return figure("ladder.gapClosed", gaps.length > 0 ? rounded(mean) : null, {
    against: Object.fromEntries([...gaps, ...bounds]),
    isWhole,
    note: `share of what a clairvoyant has above the best fixed combination that the product gets, mean over ${gaps.length} of ${cells.length} cells where that is at least ${LEAST_GAP_POINTS} points; the clairvoyant knows all arrivals, mixes variants as finely as it likes, starts replicas at once and has the product's core-seconds and service times; its percentages are of requests right and within the SLO`,
  });
}

/** A figure is null where no cell of its kind was run. */
function compareAvoidable(cells: readonly Cell[], isWhole: boolean): readonly Figure[] {
  const compare = (name: string, chosen: readonly Cell[], under: string): Figure => {
    const misses = chosen.map(cell => [cell.name, rounded(cell.avoidablePercent)] as const);
    const worst = misses.length > 0 ? Math.max(...misses.map(([, percent]) => percent)) : null;
    return figure(name, worst, {
      against: Object.fromEntries(misses),
      isWhole,
      note: `requests that were not answered within the SLO although the lightest variants on all cores would have been, one request after the other in the service times of the run; worst cell ${under}`,
    });
  };
  return [
    compare(
      "ladder.avoidableMissPercent",
      cells.filter(({ disturbance }) => disturbance !== "stalls"),
      "without stalls",
    ),
    compare(
      "ladder.avoidableMissPercentInStalls",
      cells.filter(({ disturbance }) => disturbance === "stalls"),
      "with stalls, each request by the lightest with one of them",
    ),
  ];
}

function compareMedians(cells: readonly Cell[], isWhole: boolean): Figure {
  const ratios = cells.map(cell => [cell.name, rounded(compareP50(cell))] as const);
  const largest = Math.max(...ratios.map(([, ratio]) => ratio));
  return figure("ladder.p50", Number.isFinite(largest) ? largest : null, {
    against: Object.fromEntries(ratios.filter(([, ratio]) => Number.isFinite(ratio))),
    isWhole,
    note: `median latency over the larger of ${SLO_SHARE} × SLO and ${OF_FIXED} × the best fixed combination's, worst cell`,
  });
}

/** The product's median over what it may be; infinite where it served nothing. */
function compareP50({ sloMs, ours, theirs }: Cell): number {
  const p50Ms = meanOver(ours, row => row.p50Ms ?? Number.POSITIVE_INFINITY);
  const fixedMs = meanOver(theirs, row => row.p50Ms ?? 0);
  return p50Ms / Math.max(SLO_SHARE * sloMs, OF_FIXED * fixedMs);
}

export function describeCell({ name, ours, theirs, beside, clairvoyantPercent, avoidablePercent }: Cell): string {
  const others = beside.map(({ row }) => describeRuns([row]));
  const runs = [describeRuns(ours), describeRuns(theirs), ...others, `clairvoyant ${rounded(clairvoyantPercent)} %`];
  return `${name}: ${runs.join(", ")}; ${rounded(avoidablePercent)} % avoidably missed`;
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

export function meanOver(rows: readonly RunRow[], read: (row: RunRow) => number): number {
  return rows.reduce((sum, row) => sum + read(row), 0) / rows.length;
}
