import { generateLoad, type LoadSpec } from "../load/generate-load.ts";
import type { LoadComponent } from "../load/load-component.ts";
import { mixedLoad } from "../load/load-kinds.ts";
import { cellsOf } from "./cells-of.ts";
import type { LoadCell } from "./load-history.ts";

/** Longer than what recent features reach back, so that no load is seen by the one after it. */
const GAP_CELLS = 1080;

/** What moves slowly, or comes again at its hour. */
const CALM: readonly LoadComponent["kind"][] = ["season", "week", "bursts", "wander", "gaps"];

/**
 * Cells of many generated loads, one after the other, each of another character: what the bundled model is trained on. Every second
 * one is calm: of wild loads alone, a model learns to expect the worst of every load.
 */
export function bundledTrainingCells(loads: number, secondsEach: number): LoadCell[] {
  const cells: LoadCell[] = [];
  for (let seed = 1; seed <= loads; seed++) {
    const own = cellsOf(generateLoad(seed % 2 === 0 ? calmOf(mixedLoad(seed)) : mixedLoad(seed), secondsEach, seed));
    const shift = (cells.at(-1)?.index ?? 0) + GAP_CELLS - (own[0]?.index ?? 0);
    for (const cell of own) cells.push({ ...cell, index: cell.index + shift });
  }
  return cells;
}

function calmOf(spec: LoadSpec): LoadSpec {
  return { ...spec, groupSize: 1, components: spec.components.filter(({ kind }) => CALM.includes(kind)) };
}
