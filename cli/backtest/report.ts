import { type LoadTrace, timeText } from "../../load/load-trace.ts";
import type { Backtest } from "../../predictor/backtest.ts";
import { type Scores, scoresOf } from "../../predictor/scores.ts";
import { formatTable } from "../format-table.ts";

export interface BacktestRow extends Scores {
  readonly forecaster: string;
  readonly horizonSeconds: number;
}

/** By horizon, the best 0.95 quantile first. */
export function rowsOf(result: Backtest): readonly BacktestRow[] {
  return result.results
    .flatMap(({ name, horizonSeconds, outcomes }) => {
      const scores = scoresOf(outcomes);
      return scores === null ? [] : [{ forecaster: name, horizonSeconds, ...scores }];
    })
    .toSorted((a, b) => a.horizonSeconds - b.horizonSeconds || a.pinball95 - b.pinball95);
}

const NUMBERS = ["smape", "mae", "pinball90", "pinball95", "coverage95", "shortfall", "overProvision"] as const;

/** The JSON that `--output json` prints. */
export function backtestJson(
  name: string,
  trace: LoadTrace,
  testFromSecond: number,
  rows: readonly BacktestRow[],
): string {
  const results = rows.map(row => ({
    forecaster: row.forecaster,
    horizonSeconds: row.horizonSeconds,
    ...Object.fromEntries(NUMBERS.map(number => [number, rounded(row[number])])),
  }));
  return JSON.stringify({ trace: name, split: splitTime(trace, testFromSecond), results }, null, 2);
}

export function backtestTable(rows: readonly BacktestRow[]): string {
  const header = [
    "horizon",
    "forecaster",
    "SMAPE %",
    "MAE",
    "pinball.90",
    "pinball.95",
    "coverage %",
    "worst day",
    "short by",
    "over %",
  ];
  const lines = rows.map(row => [
    `${row.horizonSeconds} s`,
    row.forecaster,
    row.smape.toFixed(2),
    row.mae.toFixed(2),
    row.pinball90.toFixed(3),
    row.pinball95.toFixed(3),
    row.coverage95.toFixed(1),
    row.worstDayCoverage95 === null ? "–" : row.worstDayCoverage95.toFixed(1),
    row.shortfall.toFixed(1),
    row.overProvision === null ? "–" : row.overProvision.toFixed(1),
  ]);
  return formatTable(header, lines, [1]);
}

export function splitTime(trace: LoadTrace, testFromSecond: number): string {
  return timeText(trace, trace.startMs + testFromSecond * 1000);
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6));
}
