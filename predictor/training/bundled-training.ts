import { generateLoad, type LoadSpec } from "../../load/generate-load.ts";
import type { LoadComponent } from "../../load/load-component.ts";
import { mixedLoad } from "../../load/load-kinds.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";
import { cellsOf } from "../cells-of.ts";
import type { LoadCell } from "../load-history.ts";

/** Longer than what recent features reach back, so that no load is seen by the one after it. */
const GAP_CELLS = 1080;

/** What moves slowly, or comes again at its hour. */
const CALM: readonly LoadComponent["kind"][] = ["season", "week", "bursts", "wander", "gaps"];

/**
 * Cells of many generated loads, one after the other, each of another character: what the bundled model is trained on. One in three is
 * wild, one calm and one low: of wild loads alone, a model learns to expect the worst of every load.
 */
export function bundledTrainingCells(loads: number, secondsEach: number): LoadCell[] {
  const cells: LoadCell[] = [];
  for (let seed = 1; seed <= loads; seed++) {
    const own = cellsOf(generateLoad(specOf(seed), secondsEach, seed));
    const shift = (cells.at(-1)?.index ?? 0) + GAP_CELLS - (own[0]?.index ?? 0);
    for (const cell of own) cells.push({ ...cell, index: cell.index + shift });
  }
  return cells;
}

function specOf(seed: number): LoadSpec {
  if (seed % 3 === 0) return lowLoad(seed);
  return seed % 3 === 1 ? mixedLoad(seed) : calmOf(mixedLoad(seed));
}

function calmOf(spec: LoadSpec): LoadSpec {
  return { ...spec, groupSize: 1, components: spec.components.filter(({ kind }) => CALM.includes(kind)) };
}

/** A few requests a second, alone or in small groups, that wander or stay: what most services see at most hours. */
function lowLoad(seed: number): LoadSpec {
  const random = seededRandom(partSeed(seed, 1_000_033));
  const logBetween = (low: number, high: number): number => Math.exp(Math.log(low) + Math.log(high / low) * random());
  const components: LoadComponent[] = [];
  if (random() < 0.7)
    components.push({ kind: "wander", memorySeconds: logBetween(30, 3600), sigma: logBetween(0.02, 0.25) });
  if (random() < 0.3)
    components.push({
      kind: "season",
      periodSeconds: 86_400,
      amplitude: 0.6 * random(),
      topSeconds: 86_400 * random(),
    });
  return { baseRps: logBetween(0.5, 40), components, groupSize: random() < 0.5 ? 1 : 1 + 0.5 * random() };
}
