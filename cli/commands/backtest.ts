import { type Command, Option } from "commander";
import { addLoadInput, type LoadInputFlags } from "../load-input.ts";
import { parseHorizons, parseNames } from "../options.ts";

interface BacktestFlags extends LoadInputFlags {
  readonly horizon: readonly number[];
  readonly split: string;
  readonly forecaster?: readonly string[];
  readonly output: "table" | "json" | "html";
}

const STRIDE_SECONDS = 10;

const HELP = `
Examples:
  variscale backtest --csv load.csv --horizon 20,60,600 --split 14d
  variscale backtest --csv load.csv --output html > backtest.html
  variscale backtest --prometheus http://prometheus:9090 --counter 'http_requests_total{job="shop"}' --since 14d
  variscale backtest --generate 7 --kind flash --days 3 --output json

The load is replayed second by second through the forecaster that the scaler runs, which learns as it goes; every 10 s after the split a
forecast of the highest second within each horizon is kept and compared with what came. No forecast sees what came after it.

It ends with 0 when it is done, 2 when what it is given can't be used, 1 for loads that can't be read. An
interrupt (Ctrl-C, 130 in a shell) stops it at once and leaves nothing behind.
Results go to standard output, progress and what was left out of the load to standard error.`;

export function addBacktest(program: Command): void {
  addLoadInput(
    program
      .command("backtest")
      .description("how good forecasts of your load would have been: the scaler's forecaster against simpler ones"),
  )
    .option("--horizon <seconds>", "how far forecasts look, several with commas", parseHorizons, [20, 60, 600])
    .option("--split <place>", "where the test begins: a share, a time from the start as 14d, or a date", "0.67")
    .option(
      "--forecaster <names>",
      "who takes part, several with commas; a+b are weighed together (default: all but trained, which takes minutes)",
      parseNames,
    )
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json", "html"]).default("table"))
    .addHelpText("after", HELP)
    .action(runBacktestCommand);
}

async function runBacktestCommand(flags: BacktestFlags): Promise<void> {
  const { readLoadInput } = await import("../load-input.ts");
  const { checkForecasters, contestantsOf, USUAL_FORECASTERS } = await import("../backtest/contestants.ts");
  const { runBacktest } = await import("../backtest/run-backtest.ts");
  const { backtestJson, backtestTable, rowsOf, splitTime } = await import("../backtest/report.ts");
  const { backtestHtml } = await import("../backtest/html-report.ts");
  const { splitSecond } = await import("../backtest/split.ts");
  const { openProgress } = await import("../progress.ts");
  const { writeResult } = await import("../write-result.ts");
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const names = flags.forecaster ?? USUAL_FORECASTERS;
  checkForecasters(names);
  const { name, trace } = await readLoadInput(flags, process.env, say);
  const testFromSecond = splitSecond(flags.split, trace);
  const training = openProgress("training", process.stderr);
  const contestants = await contestantsOf({
    names,
    horizonsSeconds: flags.horizon,
    trace,
    testFromSecond,
    onTraining: training.show,
  });
  training.close();
  const progress = openProgress("backtest", process.stderr);
  const result = runBacktest(
    { trace, contestants, testFromSecond, testToSecond: trace.ratesRps.length, strideSeconds: STRIDE_SECONDS },
    progress.show,
  );
  progress.close();
  const rows = rowsOf(result);
  const notes = notesOf(result, rows[0]?.origins ?? 0);
  for (const note of notes) say(note);
  if (flags.output === "json") writeResult(backtestJson(name, trace, testFromSecond, rows));
  else if (flags.output === "html")
    writeResult(backtestHtml({ name, trace, split: splitTime(trace, testFromSecond), notes, result, rows }));
  else writeResult(backtestTable(rows));
}

function notesOf(
  result: { readonly silentOrigins: number; readonly unknownOrigins: number },
  origins: number,
): readonly string[] {
  const left = result.silentOrigins + result.unknownOrigins;
  if (origins === 0)
    return ["No forecast could be compared: the test is shorter than the horizon, or its seconds are missing."];
  return left === 0
    ? []
    : [
        `${result.unknownOrigins} forecasts are left out since seconds of what came are missing, ${result.silentOrigins} since the load was silent.`,
      ];
}
