import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BacktestRow } from "../cli/backtest/report.ts";
import { HORIZONS_SECONDS } from "../predictor/target-forecaster.ts";
import { packageFolder } from "../runtime/version.ts";
import type { Ablation } from "./forecaster/ablation.ts";

const BEGIN = "<!-- tables of `npm run bench -- forecaster --write` -->";
const END = "<!-- end of tables -->";

export interface ForecastTable {
  readonly title: string;
  readonly rows: readonly BacktestRow[];
}

/** Puts the scores of every forecaster, and what each expert is worth, into docs/forecasting.md in the place of the last ones. */
export function writeForecastTables(tables: readonly ForecastTable[], ablations: readonly Ablation[]): void {
  const path = join(packageFolder, "docs", "forecasting.md");
  const page = readFileSync(path, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no place for the tables: write ${BEGIN} and ${END}`);
  const text = [...tables.map(tableText), ablationText(ablations)].join("\n\n");
  writeFileSync(path, `${page.slice(0, begin)}${BEGIN}\n\n${text}\n\n${page.slice(end)}`);
}

function tableText({ title, rows }: ForecastTable): string {
  const lines = rows.map(row => {
    const cells = [
      `${row.horizonSeconds} s`,
      row.forecaster,
      row.smape.toFixed(2),
      row.mae.toFixed(2),
      row.pinball90.toFixed(3),
      row.pinball95.toFixed(3),
      row.coverage95.toFixed(1),
      row.worstDayCoverage95?.toFixed(1) ?? "–",
      row.shortfall.toFixed(1),
      row.overProvision?.toFixed(1) ?? "–",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `### ${title}`,
    "",
    "| ahead | forecaster | SMAPE % | MAE | pinball .90 | pinball .95 | coverage % | worst day | short by | over % |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

function ablationText(ablations: readonly Ablation[]): string {
  const lines = ablations.map(({ change, ratios }) => {
    const cells = ratios.map(ratio => `${ratio < 1 ? "−" : "+"}${Math.abs(100 * (ratio - 1)).toFixed(1)} %`);
    return `| ${[change, ...cells].join(" | ")} |`;
  });
  return [
    "### What each expert is worth",
    "",
    "Change of the pinball loss of the 0.95 quantile, geometric mean over generated loads of every kind, four days each, the last one tested.",
    "",
    `| change | ${HORIZONS_SECONDS.map(seconds => `${seconds} s`).join(" | ")} |`,
    `| --- | ${HORIZONS_SECONDS.map(() => "---:").join(" | ")} |`,
    ...lines,
  ].join("\n");
}
