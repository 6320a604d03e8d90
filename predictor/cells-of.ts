import type { LoadTrace } from "../load/load-trace.ts";
import { type LoadCell, LoadHistory } from "./load-history.ts";

const DRAIN_SECONDS = 86_400;

/** The ten-second cells that a forecaster keeps of a trace, rising; missing ones are left out. */
export function cellsOf(trace: LoadTrace): LoadCell[] {
  const history = new LoadHistory();
  history.startAt(Math.round(trace.startMs / 1000) + 1);
  const cells: LoadCell[] = [];
  const drain = (): void => {
    cells.push(...history.cellsAfter(cells.at(-1)?.index ?? Number.NEGATIVE_INFINITY));
  };
  for (const [second, rateRps] of trace.ratesRps.entries()) {
    if (Number.isNaN(rateRps)) history.skip(1);
    else history.push(rateRps);
    if (second % DRAIN_SECONDS === 0) drain();
  }
  drain();
  return cells;
}
