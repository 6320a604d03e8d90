import type { LoadSample } from "../../domain/load.ts";
import { shareInTime } from "../../domain/load-report.ts";
import { fanOutOf, type Pipeline, type Stage, withFanOutTimes } from "../../domain/pipeline.ts";
import { findMainVariants } from "../../domain/plan.ts";
import { changeOnce } from "../change-once.ts";
import { type ControlState, podKey } from "../control-state.ts";
import { SETTINGS } from "../settings.ts";
import type { TickInput } from "../tick-input.ts";
import type { CountedRows, ServedRows } from "./served-rows.ts";

/** The rows of one stage that were seen while every ready replica of it was seen; older ones count less. */
export interface RowEvidence {
  /** Rows that the stage served. */
  readonly rows: number;
  /** Rows that it would have served by the pipeline file and its measurements. */
  readonly expected: number;
  /** Rows that the stage or its upstream stage dropped: while there are any, `rows` may be too few. */
  readonly dropped: number;
  /** Time of load that is behind these numbers. */
  readonly ms: number;
  /** Whether the last tick saw every ready replica of the stage and of its upstream stage, and since when that is so. */
  readonly isWhole?: boolean;
  readonly sinceMs?: number;
  /** Rows of times that the load source has not counted yet, oldest first: [time, rows, dropped]. */
  readonly held?: readonly Held[];
  /** `rows` over `expected` of late, oldest first: [age in ms, ratio]. */
  readonly ratios?: readonly (readonly [number, number])[];
}

type Held = readonly [atMs: number, rows: number, dropped: number];

/** The fan-out of one stage: rows for each request at an entry stage, for each row of the upstream stage at others. */
export interface LearntFanOut {
  /** By the pipeline file and its measurements. */
  readonly measured: number;
  /** The number by the rows that switchers served of late; null: too few were seen, or fewer than was measured while requests may have been lost. */
  readonly seen: number | null;
  /** The number that plans are made with. */
  readonly planned: number;
}

/**
 * Learns how many rows requests make at every stage from what switchers served, against the requests that the load source counted (entry stages)
 * or the rows that the upstream stage served. One factor a stage, on what the file and the measurements say.
 *
 * Rows count only for times at which every ready replica of the stage and of its upstream stage was seen, and rows of entry stages are held until
 * the load source has counted the requests of their time. A factor falls below what the file says only while requests are answered in time:
 * rows that a gateway drops before they reach a switcher must not make plans smaller.
 */
export function learnRows(
  state: ControlState,
  input: TickInput,
  { sums, rowsSeen, variantRows }: CountedRows,
  nowMs: number,
): ControlState {
  const { load, pipeline } = input;
  const fromMs = state.rowsLoadAtMs;
  const elapsedMs = load && fromMs !== null ? load.atMs - fromMs : Number.NaN;
  // Without load data, or after a gap in it, rows and requests are not of the same time.
  const isKnown = elapsedMs >= 0 && elapsedMs <= SETTINGS.rowsMostGapMs;
  const rowEvidence: Record<string, RowEvidence> = {};
  for (const stage of pipeline.stages) {
    if (isVoting(input, stage)) continue;
    const before = findSight(state, input, stage, rowsSeen, nowMs);
    const held = before.isWhole && stage.upstream === null ? withHeld(before, sums.get(stage.name), nowMs) : [];
    const current = { ...before, held };
    const isCounted = isKnown && load !== null && fromMs !== null;
    rowEvidence[stage.name] = isCounted ? addCounted(current, stage, sums, fromMs, load) : current;
  }
  const learnt = { ...state, rowEvidence, rowsSeen, variantRows, rowsLoadAtMs: load?.atMs ?? null };
  // Between two samples of the load nothing is adopted.
  if (!isKnown || elapsedMs === 0) return learnt;
  const isInTime = isAnsweredInTime(input.lastMinute);
  return { ...learnt, rowFactors: adoptFactors(state.rowFactors, rowEvidence, isInTime, nowMs) };
}

const NONE: RowEvidence = { rows: 0, expected: 0, dropped: 0, ms: 0 };

/**
 * Gives the evidence before this tick, with whether every replica of the stage and of its upstream stage is seen now. Nothing is known of a
 * stage without switchers.
 */
function findSight(
  state: ControlState,
  input: TickInput,
  stage: Stage,
  rowsSeen: ControlState["rowsSeen"],
  nowMs: number,
): RowEvidence & { readonly isWhole: boolean } {
  const before = state.rowEvidence[stage.name] ?? NONE;
  const names = stage.upstream === null ? [stage.name] : [stage.name, stage.upstream];
  const isWhole = names.every(name => isWhollySeen(state, input, name, rowsSeen));
  const sinceMs = before.isWhole === isWhole ? (before.sinceMs ?? nowMs) : nowMs;
  const hasSwitchers = names.every(name => seenCount(input, name) > 0);
  return { ...(hasSwitchers ? before : NONE), isWhole, sinceMs };
}

function isWhollySeen(
  state: ControlState,
  input: TickInput,
  name: string,
  rowsSeen: ControlState["rowsSeen"],
): boolean {
  const asked = input.liveReplicas?.[name] ?? state.actuations[name]?.replicas ?? 0;
  const hasVanished = Object.keys(state.rowsSeen).some(
    key => key.startsWith(podKey(name, "")) && !Object.hasOwn(rowsSeen, key),
  );
  return !hasVanished && seenCount(input, name) >= Math.max(1, asked);
}

function seenCount({ switchers }: TickInput, name: string): number {
  return switchers.filter(({ stage, ready, servedRows }) => stage === name && ready && servedRows !== undefined).length;
}

function withHeld({ held = [] }: RowEvidence, own: ServedRows | undefined, nowMs: number): readonly Held[] {
  const young = held.filter(([atMs]) => Math.abs(nowMs - atMs) <= 2 * SETTINGS.rowsMostGapMs);
  return [...young, [nowMs, own?.rows ?? 0, own?.dropped ?? 0] as const].slice(-SETTINGS.rowsMostHeld);
}

/** Adds what was served up to the newest sample of the load. */
function addCounted(
  before: RowEvidence,
  stage: Stage,
  sums: ReadonlyMap<string, ServedRows>,
  fromMs: number,
  { atMs, rateRps }: LoadSample,
): RowEvidence {
  const { isWhole = false, sinceMs = atMs, held = [] } = before;
  const isEntry = stage.upstream === null;
  const waiting = isEntry ? held.filter(entry => entry[0] > atMs) : [];
  // Requests of a time at which replicas were not seen have made rows that were not.
  if (!isWhole || (isEntry && sinceMs > fromMs)) return { ...before, held: waiting };
  const elapsedMs = atMs - fromMs;
  const requests = (rateRps * elapsedMs) / 1000;
  const left = 0.5 ** (elapsedMs / SETTINGS.rowsHalfLifeMs);
  const upstream = stage.upstream === null ? undefined : sums.get(stage.upstream);
  const own = sums.get(stage.name);
  const due = held.filter(entry => entry[0] <= atMs && entry[0] > fromMs);
  const rows = isEntry ? due.reduce((sum, entry) => sum + entry[1], 0) : (own?.rows ?? 0);
  const dropped = isEntry ? due.reduce((sum, entry) => sum + entry[2], 0) : (own?.dropped ?? 0);
  const after = {
    ...before,
    rows: left * before.rows + rows,
    expected: left * before.expected + expectedRows(stage, requests, upstream?.rowsByVariant ?? null),
    dropped: left * before.dropped + dropped + (upstream?.dropped ?? 0),
    ms: left * before.ms + (requests > 0 ? elapsedMs : 0),
    held: waiting,
  };
  return elapsedMs === 0 ? after : { ...after, ratios: withRatio(after, elapsedMs) };
}

/** Keeps the ratios of the last seconds, and the newest one before them. */
function withRatio(evidence: RowEvidence, elapsedMs: number): NonNullable<RowEvidence["ratios"]> {
  const { rows, expected, ms, ratios = [] } = evidence;
  if (expected < SETTINGS.rowsLeast || ms < SETTINGS.rowsLeastMs) return [];
  const aged = [...ratios.map(([ageMs, ratio]) => [ageMs + elapsedMs, ratio] as const), [0, rows / expected] as const];
  const oldest = aged.findLastIndex(([ageMs]) => ageMs >= SETTINGS.rowsLastMs);
  return aged.slice(Math.max(0, oldest)).slice(-SETTINGS.rowsMostHeld);
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

/**
 * Factors change by steps: small differences are noise, and each change makes a new plan. A factor that was learnt while the ratio still moved
 * would lag behind it by up to a step for good, so it follows by small steps once the ratio stands still.
 */
function adoptFactors(
  before: ControlState["rowFactors"],
  evidence: ControlState["rowEvidence"],
  isInTime: boolean,
  nowMs: number,
): ControlState["rowFactors"] {
  const adopted: Record<string, number> = {};
  for (const [stage, seen] of Object.entries(evidence)) {
    const factor = before[stage] ?? 1;
    const next = nextFactor(factor, seen, isInTime, nowMs);
    if (next !== 1) adopted[stage] = next;
  }
  const isSame = JSON.stringify(adopted) === JSON.stringify(before);
  return isSame ? before : adopted;
}

function nextFactor(factor: number, seen: RowEvidence, isInTime: boolean, nowMs: number): number {
  // Pods that start or end are unseen for a moment; a stage that stays unseen is planned as the file says, or for more rows.
  if (!seen.isWhole && nowMs - (seen.sinceMs ?? nowMs) >= SETTINGS.rowsUnseenMs)
    return seen.expected === 0 ? 1 : Math.max(1, factor);
  const ratio = steadyRatio(seen, factor);
  if (ratio === null || !seen.isWhole) return factor;
  const most = Math.max(ratio, factor);
  const step = factor !== 1 && isSettled(seen) ? SETTINGS.rowsFineStep : SETTINGS.rowsStep;
  if (most <= (1 + step) * Math.min(ratio, factor)) return factor;
  if (ratio < factor && isDropping(seen)) return factor;
  const least = isInTime ? SETTINGS.rowsLeastFactor : Math.min(1, factor);
  const next = Math.min(SETTINGS.rowsMostFactor, Math.max(least, ratio));
  return Math.abs(next - 1) <= SETTINGS.rowsStep / 2 ? 1 : next;
}

/** Whether the ratio has hardly moved of late. */
function isSettled({ ratios = [] }: RowEvidence): boolean {
  const values = ratios.map(([, ratio]) => ratio);
  return Math.max(...values) <= (1 + SETTINGS.rowsFineStep) * Math.min(...values);
}

function isAnsweredInTime(lastMinute: TickInput["lastMinute"]): boolean {
  return (shareInTime(lastMinute ?? null) ?? 0) >= SETTINGS.rowsInTime;
}

function isDropping({ dropped, rows }: RowEvidence): boolean {
  return dropped > SETTINGS.rowsMostDropped * rows;
}

/** The ratio nearest to `factor` that the ratios of late allow: a change counts when it lasts. Null: too little was seen. */
function steadyRatio({ ratios = [] }: RowEvidence, factor: number): number | null {
  if ((ratios[0]?.[0] ?? 0) < SETTINGS.rowsLastMs) return null;
  const values = ratios.map(([, ratio]) => ratio);
  return Math.min(Math.max(factor, Math.min(...values)), Math.max(...values));
}

/** The pipeline with fan-outs as they were learnt: the same object for the same two. */
export function withRowFactors(pipeline: Pipeline, factors: ControlState["rowFactors"]): Pipeline {
  if (Object.keys(factors).length === 0) return pipeline;
  return changeOnce(pipeline, factors, () => ({
    stages: pipeline.stages.map(stage => withFanOutTimes(stage, factors[stage.name] ?? 1)),
  }));
}

/** The fan-out of every stage of which anything was seen, for what its upstream stage is planned to serve. */
export function learntFanOuts(
  pipeline: Pipeline,
  { plan, rowEvidence, rowFactors }: ControlState,
  lastMinute: TickInput["lastMinute"],
): Readonly<Record<string, LearntFanOut>> {
  const planned = findMainVariants(plan);
  const learnt: Record<string, LearntFanOut> = {};
  for (const stage of pipeline.stages) {
    const seen = rowEvidence[stage.name];
    if (!seen) continue;
    const measured = fanOutOf(stage, planned[stage.upstream ?? ""] ?? null);
    const ratio = steadyRatio(seen, rowFactors[stage.name] ?? 1);
    const isTrusted = ratio !== null && (ratio >= 1 || (isAnsweredInTime(lastMinute) && !isDropping(seen)));
    learnt[stage.name] = {
      measured,
      seen: isTrusted ? measured * ratio : null,
      planned: measured * (rowFactors[stage.name] ?? 1),
    };
  }
  return learnt;
}
