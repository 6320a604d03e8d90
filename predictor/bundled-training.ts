import { generateLoad } from "../load/generate-load.ts";
import { mixedLoad } from "../load/load-kinds.ts";
import { cellsOf } from "./cells-of.ts";
import type { LoadCell } from "./load-history.ts";

/** Longer than what recent features reach back, so that no load is seen by the one after it. */
const GAP_CELLS = 1080;

/** Cells of many generated loads, one after the other, each of another character: what the bundled model is trained on. */
export function bundledTrainingCells(loads: number, secondsEach: number): LoadCell[] {
  const cells: LoadCell[] = [];
  for (let seed = 1; seed <= loads; seed++) {
    const own = cellsOf(generateLoad(mixedLoad(seed), secondsEach, seed));
    const shift = (cells.at(-1)?.index ?? 0) + GAP_CELLS - (own[0]?.index ?? 0);
    for (const cell of own) cells.push({ ...cell, index: cell.index + shift });
  }
  return cells;
}
