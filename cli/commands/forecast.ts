import { type Command, Option } from "commander";
import { addLoadInput, type LoadInputFlags } from "../load-input.ts";
import { parseHorizons } from "../options.ts";

interface ForecastFlags extends LoadInputFlags {
  readonly horizon: readonly number[];
  readonly output: "table" | "json";
}

const HELP = `
Examples:
  variscale forecast --csv load.csv
  variscale forecast --prometheus http://prometheus:9090 --counter 'http_requests_total{job="shop"}' --since 2d --horizon 60

The load is replayed through the forecaster that the scaler runs; what is printed is its forecast at the end of the load: quantiles of the
highest second within each horizon, what the plan would be made for, and how much each expert weighs.

It ends with 0 when there is a forecast, 2 when what it is given can't be used, 1 for loads that can't be read or end in a gap.`;

export function addForecast(program: Command): void {
  addLoadInput(program.command("forecast").description("what would be forecast at the end of your load, and by whom"))
    .option("--horizon <seconds>", "how far forecasts look, several with commas", parseHorizons, [20, 60, 600])
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText("after", HELP)
    .action(runForecastCommand);
}

async function runForecastCommand(flags: ForecastFlags): Promise<void> {
  const { readLoadInput } = await import("../load-input.ts");
  const { openProgress } = await import("../progress.ts");
  const { writeResult } = await import("../write-result.ts");
  const { forecastJson, forecastTable, forecastsAtEnd } = await import("../backtest/forecasts-at-end.ts");
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const input = await readLoadInput(flags, process.env, say);
  const progress = openProgress("forecast", process.stderr);
  const forecasts = await forecastsAtEnd(input.trace, flags.horizon, progress.show);
  progress.close();
  writeResult(flags.output === "json" ? forecastJson(input, forecasts) : forecastTable(input, forecasts));
}
