import { VariscaleError } from "../../domain/errors.ts";
import { courseLevel } from "../../load/course-level.ts";
import type { LoadTable } from "../../load/load-table.ts";
import { poissonArrivals } from "../../load/poisson-arrivals.ts";
import { seededRandom } from "../../load/seeded-random.ts";

/** A part of the run under one name. */
export interface Phase {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Offered load over time: `levels` are equally long, as a share of the peak, with straight lines between their middles. */
export interface LoadShape {
  readonly durationMs: number;
  readonly levels: readonly number[];
  readonly phases: readonly Phase[];
}

/** Low, a rise to a peak several times as high, and back: shares of the peak. */
export function demoShape(durationMs: number, lowShare: number): LoadShape {
  const between = (part: number): number => lowShare + part * (1 - lowShare);
  const low = lowShare;
  const levels = [
    low,
    low,
    low,
    low,
    low,
    between(0.2),
    between(0.4),
    between(0.6),
    between(0.8),
    1,
    1,
    1,
    1,
    between(0.67),
    between(0.33),
    low,
    low,
    low,
    low,
    low,
  ];
  const at = (level: number) => (durationMs * level) / levels.length;
  const phase = (name: string, from: number, to: number): Phase => ({ name, fromMs: at(from), toMs: at(to) });
  return {
    durationMs,
    levels,
    phases: [
      phase("low", 0, 5),
      phase("rise", 5, 9),
      phase("peak", 9, 13),
      phase("fall", 13, 15),
      phase("low again", 15, 20),
    ],
  };
}

/** The user's own load: its course is played within `durationMs`, its highest rate as the peak. Phases are quarters of the time. */
export function shapeFromTable(table: LoadTable, durationMs: number): LoadShape {
  const unknown = table.rows.find(({ value }) => Number.isNaN(value));
  if (unknown !== undefined)
    throw new VariscaleError(
      "invalid_argument",
      `${table.fileName}, line ${unknown.line}: the rate is not known, and the demo plays a whole course: write a number, or remove the line`,
    );
  const peak = table.rows.reduce((highest, { value }) => Math.max(highest, value), 0);
  if (peak === 0)
    throw new VariscaleError("invalid_argument", `${table.fileName} has no rate above 0: write one rate a line`);
  const quarter = durationMs / 4;
  const phases = [1, 2, 3, 4].map(i => ({ name: `quarter ${i}`, fromMs: (i - 1) * quarter, toMs: i * quarter }));
  return { durationMs, levels: table.rows.map(({ value }) => value / peak), phases };
}

/** Share of the peak at a time. */
export function levelAt(shape: LoadShape, atMs: number): number {
  return courseLevel(shape.levels, atMs / shape.durationMs);
}

/** Times of Poisson arrivals in ms, rising, the same for the same seed. */
export function arrivalsOf(shape: LoadShape, peakRps: number, seed: number): number[] {
  return poissonArrivals(atMs => levelAt(shape, atMs), peakRps, shape.durationMs, seededRandom(seed));
}
