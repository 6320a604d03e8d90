import { anscombe } from "./anscombe.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import { leastSquares } from "./least-squares.ts";
import type { LoadHistory } from "./load-history.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";

const LAGS = 12;
const CELL_SECONDS = 10;
const FIT_EVERY_SECONDS = 1800;
/** A day. */
const FIT_CELLS = 8640;
const LEAST_ROWS = 120;
const RIDGE = 1;

interface Fit {
  /** When it was made; what is later is not in it. */
  readonly second: number;
  /** Of the newest ten seconds first, and of 1; null: there were too few rows. */
  readonly coefficients: Float64Array | null;
  readonly residuals: Quantiles;
}

/**
 * AR(12): the highest second of the horizon from the highest seconds of the last twelve times ten seconds, in the Anscombe domain, by
 * least squares over a day, fitted anew every half hour; its quantiles are those of its residuals. Until there is a fit it is the EWMA expert.
 * A fit depends on the history alone, so one that was restored gives the same.
 */
export function autoregressiveExpert(): Expert {
  const fits = new WeakMap<LoadHistory, Map<number, Fit>>();
  return {
    name: "ar12",
    predict: (history, horizonSeconds) => {
      const fit = fitOf(fits, history, horizonSeconds);
      const inputs = newestInputs(history);
      if (fit.coefficients === null || inputs === null) return ewmaExpert.predict(history, horizonSeconds);
      const middle = dot(fit.coefficients, inputs);
      return quantiles((_q, i) => Math.max(middle + fit.residuals[i], 0));
    },
  };
}

function fitOf(fits: WeakMap<LoadHistory, Map<number, Fit>>, history: LoadHistory, horizonSeconds: number): Fit {
  const second = Math.floor(history.second / FIT_EVERY_SECONDS) * FIT_EVERY_SECONDS;
  const ofHistory = fits.get(history) ?? new Map<number, Fit>();
  fits.set(history, ofHistory);
  const kept = ofHistory.get(horizonSeconds);
  if (kept !== undefined && kept.second === second) return kept;
  const fit = fitAt(history, second, horizonSeconds);
  ofHistory.set(horizonSeconds, fit);
  return fit;
}

/** Null: one of the last twelve times ten seconds is missing. */
function newestInputs(history: LoadHistory): Float64Array | null {
  const inputs = new Float64Array(LAGS + 1).fill(1);
  for (let lag = 0; lag < LAGS; lag++)
    inputs[lag] = anscombe(history.window(lag * CELL_SECONDS, CELL_SECONDS).highestRps);
  return inputs.some(Number.isNaN) ? null : inputs;
}

function fitAt(history: LoadHistory, second: number, horizonSeconds: number): Fit {
  const lastCell = Math.floor(second / CELL_SECONDS);
  const highest = new Float64Array(FIT_CELLS).fill(Number.NaN);
  for (const cell of history.cellsAfter(lastCell - FIT_CELLS)) {
    const place = cell.index - (lastCell - FIT_CELLS) - 1;
    if (place < FIT_CELLS) highest[place] = anscombe(cell.highestRps);
  }
  const ahead = Math.max(1, Math.ceil(horizonSeconds / CELL_SECONDS));
  const rows = rowsOf(highest, ahead);
  if (rows.length < LEAST_ROWS) return { second, coefficients: null, residuals: [0, 0, 0, 0] };
  const n = LAGS + 1;
  const products = new Float64Array(n * n);
  const moments = new Float64Array(n);
  for (const { inputs, outcome } of rows) {
    for (let row = 0; row < n; row++) {
      const value = inputs[row] as number;
      moments[row] = (moments[row] as number) + value * outcome;
      for (let column = 0; column <= row; column++)
        products[row * n + column] = (products[row * n + column] as number) + value * (inputs[column] as number);
    }
  }
  const coefficients = leastSquares(products, moments, RIDGE);
  const residuals = Float64Array.from(rows, ({ inputs, outcome }) => outcome - dot(coefficients, inputs)).sort();
  const residualAt = (q: number): number => residuals[Math.round(q * (residuals.length - 1))] as number;
  return { second, coefficients, residuals: quantiles(residualAt) };
}

interface Row {
  readonly inputs: Float64Array;
  readonly outcome: number;
}

/** One for every cell after which the whole horizon is known, and before which twelve cells are. */
function rowsOf(highest: Float64Array, ahead: number): readonly Row[] {
  const rows: Row[] = [];
  let known = 0;
  for (let cell = 0; cell < highest.length; cell++) {
    known = Number.isNaN(highest[cell] as number) ? 0 : known + 1;
    if (known < LAGS + ahead) continue;
    const newest = cell - ahead;
    const inputs = new Float64Array(LAGS + 1).fill(1);
    for (let lag = 0; lag < LAGS; lag++) inputs[lag] = highest[newest - lag] as number;
    let outcome = 0;
    for (let k = newest + 1; k <= cell; k++) outcome = Math.max(outcome, highest[k] as number);
    rows.push({ inputs, outcome });
  }
  return rows;
}

function dot(coefficients: Float64Array, inputs: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < inputs.length; i++) sum += (coefficients[i] as number) * (inputs[i] as number);
  return sum;
}
