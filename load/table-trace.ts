import { VariscaleError } from "../domain/errors.ts";
import { isRate, MAX_RATE_RPS } from "../domain/load.ts";
import { fillSeconds, type Interval } from "./fill-seconds.ts";
import type { LoadRow, LoadTable } from "./load-table.ts";
import { type LoadTrace, UNDATED_START_MS } from "./load-trace.ts";
import { rowTimeMs } from "./row-time.ts";
import { seedOf } from "./scatter.ts";

/** What the values of a table are. */
export const VALUE_KINDS = ["rates", "counts", "counter", "requests"] as const;
/**
 * `rates`: requests a second; `counts`: requests from a row's time to the next one's; `counter`: all requests so far; `requests`: each
 * row is one.
 */
export type ValueKind = (typeof VALUE_KINDS)[number];

type SeriesKind = Exclude<ValueKind, "requests">;

/** A trace, and what its text had that a user should know of: what was left out, and as what it was taken. */
export interface ReadTrace {
  readonly trace: LoadTrace;
  readonly notes: readonly string[];
}

const SECOND_MS = 1000;
const MOST_SECONDS = 120 * 86_400;
/** What lies further apart than so many times the usual step is a gap. */
const BRIDGED_STEPS = 1.5;

interface Point {
  readonly atMs: number;
  readonly value: number;
  readonly line: number;
}

/**
 * The seconds of a table of load. Rows without times are a second each. A row's time is the begin of what it counts; what no row
 * counts, what is out of reach (a counter's reset) and what is said to be unknown is missing. Where rows are further apart than a second, their
 * requests are scattered over their seconds as independent arrivals lie.
 *
 * @param kind null: by the heading, and where that matters and does not tell it is an error.
 * @throws VariscaleError invalid_argument that names file, line, value and what to do.
 */
export function traceOf(table: LoadTable, kind: ValueKind | null): ReadTrace {
  const notes: string[] = [];
  const withTimes = table.rows.filter((row): row is LoadRow & { readonly time: string } => row.time !== null);
  if (withTimes.length === 0) return { trace: withoutTimes(table, kind), notes };
  const ordered = inOrder(pointsOf(table, withTimes), kind !== "requests", notes);
  checkSpan(table, ordered);
  if (kind === "requests") return { trace: ofRequests(ordered), notes };
  const stepMs = medianStepMs(ordered);
  const trace = ofValues(table, ordered, stepMs, kind ?? guessKind(table, stepMs), notes);
  const missing = trace.ratesRps.reduce((count, rate) => count + (Number.isNaN(rate) ? 1 : 0), 0);
  if (missing === trace.ratesRps.length)
    throw invalid(table, null, "no second is known: write a rate in one line at least");
  if (missing > 0) notes.push(`${missing} of ${trace.ratesRps.length} seconds are missing`);
  return { trace, notes };
}

function withoutTimes(table: LoadTable, kind: ValueKind | null): LoadTrace {
  const values = table.rows.map(({ value }) => value);
  const seconds = kind === "counter" ? values.slice(1).map((value, i) => value - (values[i] ?? Number.NaN)) : values;
  const ratesRps = Float64Array.from(seconds, (value, i) => {
    // A counter that fell was reset: how many there were is not known.
    if (kind === "counter" && value < 0) return Number.NaN;
    return rateOf(table, table.rows[i], value);
  });
  if (ratesRps.every(Number.isNaN)) throw invalid(table, null, "no second is known: write a rate in one line at least");
  return { startMs: UNDATED_START_MS, ratesRps };
}

function rateOf(table: LoadTable, row: { readonly line: number } | undefined, rateRps: number): number {
  if (Number.isNaN(rateRps) || isRate(rateRps)) return rateRps;
  throw invalid(
    table,
    row?.line ?? null,
    `${rateRps} requests a second are more than the ${MAX_RATE_RPS} that a load may have: correct it, or leave the cell empty`,
  );
}

const HALF_DAY_MS = 43_200_000;

/** Times of day that fall by more than half a day are those of the next one. */
function pointsOf(table: LoadTable, rows: readonly (LoadRow & { readonly time: string })[]): readonly Point[] {
  let daysMs = 0;
  let beforeMs = Number.NEGATIVE_INFINITY;
  return rows.map(row => {
    const ofRowMs = timeOf(table, row);
    const isOfDay = /^\d{1,2}:/.test(row.time);
    if (isOfDay && ofRowMs + daysMs < beforeMs - HALF_DAY_MS) daysMs += 2 * HALF_DAY_MS;
    const atMs = isOfDay ? ofRowMs + daysMs : ofRowMs;
    beforeMs = atMs;
    return { atMs, value: row.value, line: row.line };
  });
}

function timeOf(table: LoadTable, row: LoadRow & { readonly time: string }): number {
  const atMs = rowTimeMs(row.time, table.timeName);
  if (Number.isFinite(atMs) && Math.abs(atMs) <= 8.64e15) return atMs;
  throw invalid(
    table,
    row.line,
    `\`${row.time.slice(0, 40)}\` is not a time; write it as 2026-01-31T12:00:00Z, as seconds since 1970, or as seconds from the start`,
  );
}

/** Sorted where they are not; of several rows of one time the first one counts. */
function inOrder(points: readonly Point[], isOnePerTime: boolean, notes: string[]): readonly Point[] {
  let late = 0;
  points.forEach((point, i) => {
    if (point.atMs < (points[i - 1]?.atMs ?? Number.NEGATIVE_INFINITY)) late += 1;
  });
  if (late > 0) notes.push(`${late} lines are out of order: sorted by time`);
  const sorted = late > 0 ? points.toSorted((a, b) => a.atMs - b.atMs || a.line - b.line) : points;
  if (!isOnePerTime) return sorted;
  const unique = sorted.filter((point, i) => point.atMs !== sorted[i - 1]?.atMs);
  const repeated = sorted.length - unique.length;
  if (repeated > 0) notes.push(`${repeated} lines have the time of another one: the first of each counts`);
  return unique;
}

function checkSpan(table: LoadTable, points: readonly Point[]): void {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs <= MOST_SECONDS * SECOND_MS) return;
  const gaps = points.slice(1).map((point, i) => ({ point, gapMs: point.atMs - (points[i]?.atMs ?? 0) }));
  const { point, gapMs } = gaps.reduce((largest, gap) => (gap.gapMs > largest.gapMs ? gap : largest));
  throw invalid(
    table,
    point.line,
    `the file spans more than ${MOST_SECONDS / 86_400} days, and this line is ${Math.round(gapMs / SECOND_MS)} s after the one before: correct its time, or split the file`,
  );
}

function medianStepMs(points: readonly Point[]): number {
  const steps = Float64Array.from(
    { length: points.length - 1 },
    (_, i) => (points[i + 1]?.atMs ?? 0) - (points[i]?.atMs ?? 0),
  ).sort();
  const median = steps[Math.floor((steps.length - 1) / 2)] ?? SECOND_MS;
  return Math.abs(median - SECOND_MS) < 0.1 * SECOND_MS ? SECOND_MS : median;
}

function guessKind(table: LoadTable, stepMs: number): SeriesKind {
  const name = table.valueName ?? "";
  if (/_total$/i.test(name)) return "counter";
  if (stepMs === SECOND_MS || /rps|qps|rate|\/ ?s|per_?s/i.test(name)) return "rates";
  if (/requests|count|arrivals|hits|calls/i.test(name)) return "counts";
  throw invalid(
    table,
    1,
    `there is a value every ${stepMs / SECOND_MS} s, and ${name === "" ? "no heading" : `the heading \`${name}\` does not`} say${name === "" ? "s" : ""} of what: add --values rates (requests a second), counts (requests since the last) or counter`,
  );
}

/** The second that a time lies in, by rounding: timers are a little early or late. */
function ofRequests(points: readonly Point[]): LoadTrace {
  const startMs = Math.floor((points[0]?.atMs ?? 0) / SECOND_MS) * SECOND_MS;
  const seconds = Math.floor(((points.at(-1)?.atMs ?? 0) - startMs) / SECOND_MS) + 1;
  const ratesRps = new Float64Array(seconds);
  for (const { atMs } of points) {
    const second = Math.floor((atMs - startMs) / SECOND_MS);
    ratesRps[second] = (ratesRps[second] ?? 0) + 1;
  }
  return { startMs, ratesRps };
}

function ofValues(
  table: LoadTable,
  points: readonly Point[],
  stepMs: number,
  kind: SeriesKind,
  notes: string[],
): LoadTrace {
  if (stepMs === SECOND_MS && kind !== "counter") return bySeconds(table, points, notes);
  const intervals: Interval[] = [];
  let resets = 0;
  points.forEach((point, i) => {
    const next = points[i + 1];
    const toMs =
      kind === "counter" ? next?.atMs : Math.min(next?.atMs ?? Number.POSITIVE_INFINITY, point.atMs + stepMs);
    if (toMs === undefined || (kind === "counter" && toMs - point.atMs > 2 * BRIDGED_STEPS * stepMs)) return;
    const count = countOf(kind, point, next, toMs - point.atMs);
    if (count < 0) resets += 1;
    const rateRps = rateOf(table, point, Math.max((count * SECOND_MS) / (toMs - point.atMs), 0));
    const isKnown = !Number.isNaN(rateRps) && count >= 0;
    intervals.push({ fromMs: point.atMs, toMs, count: isKnown ? count : null, seed: seedOf("row", point.atMs) });
  });
  if (resets > 0) notes.push(`the counter was reset ${resets} times: what it counted around a reset is missing`);
  if (stepMs !== SECOND_MS)
    notes.push(
      `a value every ${stepMs / SECOND_MS} s: ${stepMs > SECOND_MS ? "requests are scattered over their seconds at random" : "summed up by seconds"}`,
    );
  return secondsOf(intervals);
}

function countOf(kind: SeriesKind, point: Point, next: Point | undefined, spanMs: number): number {
  if (kind === "counter") return (next?.value ?? Number.NaN) - point.value;
  return kind === "counts" ? point.value : (point.value * spanMs) / SECOND_MS;
}

/** One row a second; timers are a little early or late, so each goes to the nearest one that is free. */
function bySeconds(table: LoadTable, points: readonly Point[], notes: string[]): LoadTrace {
  const firstMs = points[0]?.atMs ?? 0;
  const startMs = Math.round(firstMs / SECOND_MS) * SECOND_MS;
  const secondAt = (atMs: number): number => Math.round((atMs - firstMs) / SECOND_MS);
  const ratesRps = new Float64Array(secondAt(points.at(-1)?.atMs ?? firstMs) + 1).fill(Number.NaN);
  let repeated = 0;
  for (const point of points) {
    const second = secondAt(point.atMs);
    const taken = [second, second - 1].find(at => at >= 0 && Number.isNaN(ratesRps[at]));
    if (taken === undefined) repeated += 1;
    else ratesRps[taken] = rateOf(table, point, point.value);
  }
  if (repeated > 0) notes.push(`${repeated} lines are in a second that another one has: left out`);
  return { startMs, ratesRps };
}

function secondsOf(intervals: readonly Interval[]): LoadTrace {
  const startMs = Math.floor((intervals[0]?.fromMs ?? 0) / SECOND_MS) * SECOND_MS;
  const endMs = Math.floor((intervals.at(-1)?.toMs ?? startMs) / SECOND_MS) * SECOND_MS;
  const ratesRps = new Float64Array(Math.max((endMs - startMs) / SECOND_MS, 1)).fill(Number.NaN);
  for (const { atMs, rateRps } of fillSeconds([intervals], startMs, endMs).samples)
    ratesRps[Math.round((atMs - startMs) / SECOND_MS) - 1] = rateRps;
  return { startMs, ratesRps };
}

function invalid(table: LoadTable, line: number | null, message: string): VariscaleError {
  return new VariscaleError(
    "invalid_argument",
    `${table.fileName}${line === null ? "" : `, line ${line}`}: ${message}`,
  );
}
