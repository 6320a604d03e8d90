import { QUANTILES, RATE_QUANTILES } from "../domain/load.ts";
import { anscombe } from "./anscombe.ts";
import type { LoadHistory } from "./load-history.ts";

/** Plans act until the next one does: so many seconds. */
export const RATE_SECONDS = 10;
/** One standard deviation of the rate of a steady load, in the Anscombe domain, where that of one second is 1. */
export const RATE_CHANCE = 1 / Math.sqrt(RATE_SECONDS);

/** A number that a horizon comes to have, which is forecast as quantiles at these levels. */
export interface Target {
  readonly name: "peak" | "rate";
  readonly levels: readonly number[];
  /** How many of a horizon's last seconds it is about. */
  readonly secondsOf: (horizonSeconds: number) => number;
  /** Its value for such seconds, the newest of them `age` seconds back, in the Anscombe domain; NaN where none is known. */
  readonly read: (history: LoadHistory, age: number, seconds: number) => number;
  /** The same of ten-second cells that follow each other, and are the last ones of a horizon. */
  readonly join: (cells: Float64Array, from: number, to: number) => number;
  /** A cell of ten seconds, which `join` joins. */
  readonly readCells: (history: LoadHistory, lastCell: number, into: Float64Array) => void;
  /**
   * Losses are counted in so many Anscombe sigmas.
   *
   * @param usualMiss by how much the middle is exceeded where it is.
   */
  readonly lossUnit: (usualMiss: number) => number;
}

/** The highest second of the horizon. */
export const PEAK: Target = {
  name: "peak",
  levels: QUANTILES,
  secondsOf: horizonSeconds => horizonSeconds,
  read: (history, age, seconds) => anscombe(history.highestOf(age, seconds)),
  join: (cells, from, to) => {
    let highest = 0;
    for (let cell = from; cell <= to; cell += 1) highest = Math.max(highest, cells[cell] as number);
    return highest;
  },
  readCells: (history, lastCell, into) => history.highestUpTo(lastCell, into),
  lossUnit: () => 1,
};

/** The mean rate of the last ten seconds of the horizon: those in which a plan acts that was made at its begin. */
export const RATE: Target = {
  name: "rate",
  levels: RATE_QUANTILES,
  secondsOf: () => RATE_SECONDS,
  read: (history, age, seconds) => anscombe(history.meanOf(age, seconds)),
  join: (cells, _from, to) => cells[to] as number,
  readCells: (history, lastCell, into) => history.meanUpTo(lastCell, into),
  // Chance alone is small in ten seconds: what tells experts apart is how the load moves, by ever more sigmas the higher it is.
  lossUnit: usualMiss => Math.max(RATE_CHANCE, usualMiss),
};
