import { anscombe } from "../anscombe.ts";
import { FEATURES, type FeatureSet, features, levelOf } from "../features.ts";
import { type LoadCell, LoadHistory } from "../load-history.ts";
import type { Target } from "../target.ts";

const CELL_SECONDS = 10;
/** So many ten-second cells up to the origin are known, or there is no row. */
const CELLS_BEFORE = 12;

/** What a network is trained with: `inputs` features a row, and what came of it; in the Anscombe domain, the oldest of `count` first. */
export interface TrainingRows {
  readonly count: number;
  readonly inputs: number;
  /** Features of all rows, one row after the other; NaN where they are missing. */
  readonly features: Float32Array;
  /** What they are relative to. */
  readonly levels: Float32Array;
  /** Outcomes by target. */
  readonly outcomes: Readonly<Record<Target["name"], Float32Array>>;
  /** The second after which the horizon begins. */
  readonly seconds: Float64Array;
}

/**
 * A row for every `strideCells` cells: the history is built up cell by cell, as it was seen then. Rows whose horizon, or whose last two
 * minutes, have missing cells are left out.
 *
 * @param cells rising by index.
 */
export function trainingRows(
  cells: readonly LoadCell[],
  set: FeatureSet,
  horizonSeconds: number,
  strideCells = 1,
): TrainingRows {
  const inputs = FEATURES[set];
  const ahead = horizonSeconds / CELL_SECONDS;
  const history = new LoadHistory();
  const most = cells.filter(({ index }) => index % strideCells === 0).length;
  const rows = {
    features: new Float32Array(most * inputs),
    levels: new Float32Array(most),
    outcomes: { peak: new Float32Array(most), rate: new Float32Array(most) },
    seconds: new Float64Array(most),
  };
  let count = 0;
  for (const [i, cell] of cells.entries()) {
    history.pushCell(cell);
    if (cell.index % strideCells !== 0) continue;
    const first = cells[i - CELLS_BEFORE + 1];
    const last = cells[i + ahead];
    if (first?.index !== cell.index - CELLS_BEFORE + 1 || last?.index !== cell.index + ahead) continue;
    let highestRps = 0;
    for (let k = i + 1; k <= i + ahead; k++) highestRps = Math.max(highestRps, cells[k]?.highestRps ?? 0);
    const level = levelOf(history);
    features(history, set, horizonSeconds, level, rows.features.subarray(count * inputs, (count + 1) * inputs));
    rows.levels[count] = level;
    rows.outcomes.peak[count] = anscombe(highestRps);
    rows.outcomes.rate[count] = anscombe(last.meanRps);
    rows.seconds[count] = history.second;
    count += 1;
  }
  return { count, inputs, ...rows };
}
