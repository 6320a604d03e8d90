import { meanVisit } from "./group-size.ts";
import type { StageLatency } from "./latency.ts";
import { at, type Cumulative, convolve, cumulativeOf } from "./wait-distribution.ts";

/** Latency of a stage whose rows are split over parts that serve different variants. */
export interface StageMixture {
  /** Mean rows of one request; their group is as late as its slowest row. */
  readonly rows: number;
  readonly parts: readonly { readonly share: number; readonly latency: StageLatency }[];
}

export interface Distribution {
  readonly constantMs: number;
  /** Of what comes on top of `constantMs`. */
  readonly cumulative: Cumulative;
}

/**
 * One part: its own distribution. Several: F = (Σ share·F_i^{1/(K·share)})^K, as each of the K rows goes to part i with its
 * share and F_i is the distribution of the slowest of the K·share rows that go there.
 */
export function distributionOf(mixture: StageMixture, stepMs: number, cells: number): Distribution {
  const [first, ...others] = mixture.parts;
  if (!first) return { constantMs: 0, cumulative: new Float64Array(cells + 1).fill(1) };
  if (mixture.parts.length > 1 && mixture.parts.every(({ share }) => share >= 1)) {
    // All parts serve every row, and the vote waits for the slowest.
    const all = mixture.parts.map(({ latency }) => aloneOf(latency, stepMs, cells));
    return slowestOf(all, stepMs, cells) ?? { constantMs: 0, cumulative: new Float64Array(cells + 1).fill(1) };
  }
  if (others.length === 0) return aloneOf(first.latency, stepMs, cells);
  const constantMs = Math.min(...mixture.parts.map(part => part.latency.constantMs));
  const rows = Math.max(1, mixture.rows);
  const cumulative = new Float64Array(cells + 1);
  for (const { share, latency } of mixture.parts) {
    const own = cumulativeOf(latency, stepMs, cells);
    const shift = (latency.constantMs - constantMs) / stepMs;
    const root = 1 / meanVisit(rows, share);
    for (let i = Math.ceil(shift); i <= cells; i++) {
      cumulative[i] = (cumulative[i] ?? 0) + share * at(own, i - shift) ** root;
    }
  }
  return { constantMs, cumulative: cumulative.map(chance => Math.min(1, chance) ** rows) };
}

export function aloneOf(latency: StageLatency, stepMs: number, cells: number): Distribution {
  return { constantMs: latency.constantMs, cumulative: cumulativeOf(latency, stepMs, cells) };
}

/** Distribution of the latency of all stages, each after those that it waits for. */
export function pathDistribution(
  stages: readonly StageMixture[],
  stepMs: number,
  cells: number,
  after: readonly (readonly number[])[] = chainOf(stages.length),
): Distribution {
  const done: Distribution[] = [];
  for (const [s, stage] of stages.entries()) {
    const own = distributionOf(stage, stepMs, cells);
    const start = slowestOf(
      (after[s] ?? []).flatMap(index => done[index] ?? []),
      stepMs,
      cells,
    );
    done.push(
      start
        ? {
            constantMs: start.constantMs + own.constantMs,
            cumulative: convolve(start.cumulative, own.cumulative, cells + 1),
          }
        : own,
    );
  }
  const last = done.filter((_, s) => !after.some(indices => indices.includes(s)));
  return slowestOf(last, stepMs, cells) ?? { constantMs: 0, cumulative: new Float64Array(cells + 1).fill(1) };
}

function chainOf(length: number): readonly (readonly number[])[] {
  return Array.from({ length }, (_, s) => (s === 0 ? [] : [s - 1]));
}

/** The last of several times; they count as independent. Null: there are none. */
export function slowestOf(times: readonly Distribution[], stepMs: number, cells: number): Distribution | null {
  const [first, ...others] = times;
  if (!first || others.length === 0) return first ?? null;
  const constantMs = Math.max(...times.map(time => time.constantMs));
  const cumulative = new Float64Array(cells + 1).fill(1);
  for (const time of times) {
    const ahead = (constantMs - time.constantMs) / stepMs;
    for (let i = 0; i <= cells; i++)
      cumulative[i] = (cumulative[i] ?? 0) * at(time.cumulative, Math.min(cells, i + ahead));
  }
  return { constantMs, cumulative };
}

const QUANTILE_CELLS = 64;
const LONGEST_MS = 1e15;

/** Latency that is not exceeded with chance `quantile`, from a grid as fine as the latency is short; finite. */
export function pathQuantileMs(
  stages: readonly StageMixture[],
  quantile: number,
  after: readonly (readonly number[])[] = chainOf(stages.length),
): number {
  let spanMs = 4 * stages.reduce((sum, stage) => sum + randomMs(stage), 0);
  if (!(spanMs > 0)) return Math.min(LONGEST_MS, pathDistribution(stages, 1, 1, after).constantMs);
  for (; spanMs < LONGEST_MS; spanMs *= 2) {
    const stepMs = spanMs / QUANTILE_CELLS;
    const { constantMs, cumulative } = pathDistribution(stages, stepMs, QUANTILE_CELLS, after);
    const index = cumulative.findIndex(chance => chance >= quantile);
    if (index < 0 || index === QUANTILE_CELLS) continue;
    const below = cumulative[index - 1] ?? 0;
    const part = (quantile - below) / Math.max(Number.MIN_VALUE, (cumulative[index] ?? 1) - below);
    return constantMs + Math.max(0, index - 0.5 + Math.min(1, part)) * stepMs;
  }
  return LONGEST_MS;
}

/** About what the parts add to the constant of the fastest one, on average. */
function randomMs(stage: StageMixture): number {
  const fastestMs = Math.min(...stage.parts.map(part => part.latency.constantMs));
  return stage.parts.reduce((sum, { share, latency }) => {
    const waitMs =
      latency.residualMs / (latency.residualServers + 1) +
      Math.min(latency.growthMs, latency.growthMaxMs) +
      latency.backlogShare * latency.backlogMs;
    const serviceMs = latency.service.reduce(
      (all, part) => all + part.share * (part.moreMs + part.firstMs + part.secondShare * part.secondMs),
      0,
    );
    return sum + share * (latency.constantMs - fastestMs + serviceMs + latency.waitShare * waitMs);
  }, 0);
}
