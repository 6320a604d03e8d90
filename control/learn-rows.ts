import { fanOutOf, type Pipeline, type Stage, withFanOutTimes } from "../domain/pipeline.ts";
import type { ControlState } from "./control-state.ts";
import { podKey } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";

/** The rows of one stage that were seen; older ones count less. */
export interface RowEvidence {
  /** Rows that the stage served. */
  readonly rows: number;
  /** Rows that it would have served by the pipeline file and its measurements. */
  readonly expected: number;
  /** Rows that the stage or its upstream stage dropped: while there are any, `rows` may be too few. */
  readonly dropped: number;
  /** Time of load that is behind these numbers. */
  readonly ms: number;
}

/** The fan-out of one stage: rows for each request at an entry stage, for each row of the upstream stage at others. */
export interface LearntFanOut {
  /** By the pipeline file and its measurements. */
  readonly measured: number;
  /** As switchers served rows of late; null: too few were seen, or fewer than was measured while requests may have been lost. */
  readonly seen: number | null;
  /** The number that plans are made with. */
  readonly planned: number;
}

type Learnt = Pick<ControlState, "rowEvidence" | "rowFactors" | "rowsSeen" | "rowsLoadAtMs">;

/**
 * Learns how many rows requests make at every stage from what switchers served since the last tick, against the requests that the load source
 * counted (entry stages) or the rows that the upstream stage served. One factor a stage, on what the file and the measurements say.
 *
 * Served rows are never more than those that requests made, so a factor may rise at any time. It falls below what the file says only while
 * requests are answered in time: rows that a gateway drops before they reach a switcher must not make plans smaller.
 */
export function learnRows(state: ControlState, input: TickInput): Learnt {
  const { load, switchers, pipeline } = input;
  const { sums, rowsSeen } = servedSince(state, input);
  const elapsedMs = load && state.rowsLoadAtMs !== null ? load.atMs - state.rowsLoadAtMs : Number.NaN;
  // Without load data, or after a gap in it, rows and requests are not of the same time.
  const isKnown = load !== null && elapsedMs >= 0 && elapsedMs <= SETTINGS.rowsMostGapMs;
  const kept = { rowEvidence: state.rowEvidence, rowFactors: state.rowFactors, rowsSeen };
  if (!isKnown || switchers.length === 0) return { ...kept, rowsLoadAtMs: load?.atMs ?? null };
  const requests = (load.rateRps * elapsedMs) / 1000;
  const left = 0.5 ** (elapsedMs / SETTINGS.rowsHalfLifeMs);
  const rowEvidence: Record<string, RowEvidence> = {};
  for (const stage of pipeline.stages) {
    const before = state.rowEvidence[stage.name] ?? NONE;
    const own = sums.get(stage.name);
    const upstream = stage.upstream === null ? null : sums.get(stage.upstream);
    if (isVoting(input, stage)) continue;
    rowEvidence[stage.name] = {
      rows: left * before.rows + (own?.rows ?? 0),
      expected: left * before.expected + expectedRows(stage, requests, upstream?.rowsByVariant ?? null),
      dropped: left * before.dropped + (own?.dropped ?? 0) + (upstream?.dropped ?? 0),
      ms: left * before.ms + (requests > 0 ? elapsedMs : 0),
    };
  }
  // Between two samples of the load there are rows whose requests are not counted yet.
  if (elapsedMs === 0) return { ...kept, rowEvidence, rowsLoadAtMs: load.atMs };
  const isInTime = isAnsweredInTime(input.inTimeShare ?? null);
  return {
    rowEvidence,
    rowFactors: adoptFactors(state.rowFactors, rowEvidence, isInTime),
    rowsSeen,
    rowsLoadAtMs: load.atMs,
  };
}

const NONE: RowEvidence = { rows: 0, expected: 0, dropped: 0, ms: 0 };

interface Served {
  rows: number;
  dropped: number;
  readonly rowsByVariant: Map<string, number>;
}

/** Counts what the switchers of each stage served and dropped since the last tick. A pod that is new, or counts from zero again, says nothing yet. */
function servedSince(
  { rowsSeen: before }: ControlState,
  { switchers }: TickInput,
): { readonly sums: ReadonlyMap<string, Served>; readonly rowsSeen: ControlState["rowsSeen"] } {
  const sums = new Map<string, Served>();
  const rowsSeen: Record<string, readonly [number, number]> = {};
  for (const { stage, pod, variant, servedRows, droppedRows } of switchers) {
    if (servedRows === undefined || droppedRows === undefined) continue;
    const key = podKey(stage, pod);
    rowsSeen[key] = [servedRows, droppedRows];
    const [servedBefore, droppedBefore] = before[key] ?? [servedRows, droppedRows];
    const rows = Math.max(0, servedRows - servedBefore);
    const sum = sums.get(stage) ?? { rows: 0, dropped: 0, rowsByVariant: new Map<string, number>() };
    sum.rows += rows;
    sum.dropped += Math.max(0, droppedRows - droppedBefore);
    sum.rowsByVariant.set(variant, (sum.rowsByVariant.get(variant) ?? 0) + rows);
    sums.set(stage, sum);
  }
  return { sums, rowsSeen };
}

/** @param upstream rows of the upstream stage by the variant that served them; null: there is no such stage, or it has served nothing. */
function expectedRows(stage: Stage, requests: number, upstream: ReadonlyMap<string, number> | null): number {
  if (stage.upstream === null) return requests * fanOutOf(stage, null);
  return [...(upstream ?? [])].reduce((sum, [variant, rows]) => sum + rows * fanOutOf(stage, variant), 0);
}

/** Every voter of a stage serves every row, so that its rows, and those of the stages after it, would be counted several times. */
function isVoting({ joinsVotes, pipeline }: TickInput, { votes, upstream }: Stage): boolean {
  const before = pipeline.stages.find(({ name }) => name === upstream);
  return joinsVotes === true && (votes !== undefined || before?.votes !== undefined);
}

/** Factors change by steps: small differences are noise, and each change makes a new plan. */
function adoptFactors(
  before: ControlState["rowFactors"],
  evidence: ControlState["rowEvidence"],
  isInTime: boolean,
): ControlState["rowFactors"] {
  const adopted: Record<string, number> = {};
  for (const [stage, seen] of Object.entries(evidence)) {
    const factor = before[stage] ?? 1;
    const next = nextFactor(factor, seen, isInTime);
    if (next !== 1) adopted[stage] = next;
  }
  const isSame = JSON.stringify(adopted) === JSON.stringify(before);
  return isSame ? before : adopted;
}

function nextFactor(factor: number, seen: RowEvidence, isInTime: boolean): number {
  const ratio = seenRatio(seen);
  if (ratio === null) return factor;
  const most = Math.max(ratio, factor);
  if (most <= (1 + SETTINGS.rowsStep) * Math.min(ratio, factor)) return factor;
  if (ratio < factor && isDropping(seen)) return factor;
  const least = isInTime ? SETTINGS.rowsLeastFactor : Math.min(1, factor);
  const next = Math.min(SETTINGS.rowsMostFactor, Math.max(least, ratio));
  return Math.abs(next - 1) <= SETTINGS.rowsStep / 2 ? 1 : next;
}

function isAnsweredInTime(share: number | null): boolean {
  return share !== null && share >= SETTINGS.rowsInTime;
}

function isDropping({ dropped, rows }: RowEvidence): boolean {
  return dropped > SETTINGS.rowsMostDropped * rows;
}

/** Rows seen over rows expected; null: too little was seen. */
function seenRatio({ rows, expected, ms }: RowEvidence): number | null {
  return expected >= SETTINGS.rowsLeast && ms >= SETTINGS.rowsLeastMs ? rows / expected : null;
}

const factored = new WeakMap<ControlState["rowFactors"], { readonly from: Pipeline; readonly to: Pipeline }>();

/** The pipeline with fan-outs as they were learnt: the same object for the same two. */
export function withRowFactors(pipeline: Pipeline, factors: ControlState["rowFactors"]): Pipeline {
  if (Object.keys(factors).length === 0) return pipeline;
  const known = factored.get(factors);
  if (known?.from === pipeline) return known.to;
  const stages = pipeline.stages.map(stage => withFanOutTimes(stage, factors[stage.name] ?? 1));
  const to = { ...pipeline, stages };
  factored.set(factors, { from: pipeline, to });
  return to;
}

/** The fan-out of every stage of which anything was seen, for what its upstream stage is planned to serve. */
export function learntFanOuts(
  pipeline: Pipeline,
  { rowEvidence, rowFactors }: ControlState,
  inTimeShare: number | null,
  plannedVariant: (stage: string) => string | null,
): Readonly<Record<string, LearntFanOut>> {
  const learnt: Record<string, LearntFanOut> = {};
  for (const stage of pipeline.stages) {
    const seen = rowEvidence[stage.name];
    if (!seen) continue;
    const measured = fanOutOf(stage, stage.upstream === null ? null : plannedVariant(stage.upstream));
    const ratio = seenRatio(seen);
    const isTrusted = ratio !== null && (ratio >= 1 || (isAnsweredInTime(inTimeShare) && !isDropping(seen)));
    learnt[stage.name] = {
      measured,
      seen: isTrusted ? measured * ratio : null,
      planned: measured * (rowFactors[stage.name] ?? 1),
    };
  }
  return learnt;
}
