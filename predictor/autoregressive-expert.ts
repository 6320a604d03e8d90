import { anscombe } from "./anscombe.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import { leastSquares } from "./least-squares.ts";
import type { LoadHistory } from "./load-history.ts";
import type { Quantiles } from "./quantiles.ts";
import type { Target } from "./target.ts";

const LAGS = 12;
const INPUTS = LAGS + 1;
const CELL_SECONDS = 10;
export const FIT_EVERY_SECONDS = 1800;
/** A day. */
const FIT_CELLS = 8640;
/** Neighbouring rows tell the same: one in four will do. */
const ROW_STRIDE = 4;
const LEAST_ROWS = 40;
const RIDGE = 1;

interface Fit {
  /** When it was made; what is later is not in it. */
  readonly second: number;
  /** Of the newest ten seconds first, and of 1; null: there were too few rows. */
  readonly coefficients: Float64Array | null;
  readonly residuals: Quantiles;
}

/**
 * AR(12): the target from what it was in each of the last twelve times ten seconds, in the Anscombe domain, by
 * least squares over a day, fitted anew every half hour; its quantiles are those of its residuals. Until there is a fit it is the
 * EWMA expert. A fit depends on the history alone, so one that was restored gives the same.
 *
 * @param phaseSeconds within the half hour at which it is fitted: another for each pipeline, so that not all are fitted at once.
 */
export function autoregressiveExpert(target: Target, phaseSeconds = 0): Expert {
  const fits = new WeakMap<LoadHistory, Map<number, Fit>>();
  const inputs = new Float64Array(INPUTS);
  return {
    name: "ar12",
    predict: (history, horizonSeconds) => {
      const { coefficients, residuals } = findFit(fits, target, history, horizonSeconds, phaseSeconds);
      if (coefficients === null || !readNewest(target, history, inputs))
        return ewmaExpert(target).predict(history, horizonSeconds);
      const middle = dot(coefficients, inputs);
      return residuals.map(residual => Math.max(middle + residual, 0));
    },
  };
}

function findFit(
  fits: WeakMap<LoadHistory, Map<number, Fit>>,
  target: Target,
  history: LoadHistory,
  horizonSeconds: number,
  phaseSeconds: number,
): Fit {
  const second = Math.floor((history.second - phaseSeconds) / FIT_EVERY_SECONDS) * FIT_EVERY_SECONDS + phaseSeconds;
  const ofHistory = fits.get(history) ?? new Map<number, Fit>();
  fits.set(history, ofHistory);
  const kept = ofHistory.get(horizonSeconds);
  if (kept !== undefined && kept.second === second) return kept;
  const fit = fitAt(target, history, second, horizonSeconds);
  ofHistory.set(horizonSeconds, fit);
  return fit;
}

/** False: one of the last twelve times ten seconds is missing. */
function readNewest(target: Target, history: LoadHistory, inputs: Float64Array): boolean {
  for (let lag = 0; lag < LAGS; lag++) inputs[lag] = target.read(history, lag * CELL_SECONDS, CELL_SECONDS);
  inputs[LAGS] = 1;
  return !inputs.some(Number.isNaN);
}

function fitAt(target: Target, history: LoadHistory, second: number, horizonSeconds: number): Fit {
  const cells = readCells(target, history, Math.floor(second / CELL_SECONDS));
  const ahead = Math.max(1, Math.ceil(horizonSeconds / CELL_SECONDS));
  const origins = findOrigins(cells, ahead);
  if (origins.length < LEAST_ROWS) return { second, coefficients: null, residuals: target.levels.map(() => 0) };
  const products = new Float64Array(INPUTS * INPUTS);
  const moments = new Float64Array(INPUTS);
  const inputs = new Float64Array(INPUTS).fill(1);
  const outcomes = Float64Array.from(origins, origin => target.join(cells, origin + 1, origin + ahead));
  for (const [k, origin] of origins.entries()) {
    readRow(cells, origin, inputs);
    for (let row = 0; row < INPUTS; row++) {
      const value = inputs[row] as number;
      moments[row] = (moments[row] as number) + value * (outcomes[k] as number);
      for (let column = 0; column <= row; column++)
        products[row * INPUTS + column] =
          (products[row * INPUTS + column] as number) + value * (inputs[column] as number);
    }
  }
  const coefficients = leastSquares(products, moments, RIDGE);
  const residuals = Float64Array.from(origins, (origin, k) => {
    readRow(cells, origin, inputs);
    return (outcomes[k] as number) - dot(coefficients, inputs);
  }).sort();
  const residualAt = (q: number): number => residuals[Math.round(q * (residuals.length - 1))] as number;
  return { second, coefficients, residuals: target.levels.map(residualAt) };
}

/** Of the day up to a cell, in the Anscombe domain; NaN where it is missing. */
function readCells(target: Target, history: LoadHistory, lastCell: number): Float64Array {
  const cells = new Float64Array(FIT_CELLS);
  target.readCells(history, lastCell, cells);
  return cells.map(anscombe);
}

/** Cells before which twelve are known, itself among them, and after which the whole horizon is. */
function findOrigins(cells: Float64Array, ahead: number): readonly number[] {
  const origins: number[] = [];
  let known = 0;
  for (let cell = 0; cell < cells.length; cell++) {
    known = Number.isNaN(cells[cell] as number) ? 0 : known + 1;
    if (known >= LAGS + ahead && cell % ROW_STRIDE === 0) origins.push(cell - ahead);
  }
  return origins;
}

function readRow(cells: Float64Array, origin: number, inputs: Float64Array): void {
  for (let lag = 0; lag < LAGS; lag++) inputs[lag] = cells[origin - lag] as number;
}

function dot(coefficients: Float64Array, inputs: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < inputs.length; i++) sum += (coefficients[i] as number) * (inputs[i] as number);
  return sum;
}
