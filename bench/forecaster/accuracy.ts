import { parseArgs } from "node:util";
import { type BacktestRow, rowsOf } from "../../cli/backtest/report.ts";
import { runBacktest } from "../../cli/backtest/run-backtest.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import type { Backtest, Contestant } from "../../predictor/backtest.ts";
import { type RatioInterval, ratioInterval } from "../../predictor/block-bootstrap.ts";
import { cellsOf } from "../../predictor/cells-of.ts";
import type { AskedExpert } from "../../predictor/expert.ts";
import { ALL_EXPERTS, EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { openBackend } from "../../predictor/network/backend.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { NETWORK } from "../../predictor/network/network-experts.ts";
import { type OpenModel, openModel } from "../../predictor/network/open-model.ts";
import { Outcomes } from "../../predictor/outcomes.ts";
import { rememberingExpert } from "../../predictor/remembering-expert.ts";
import { pinballLosses95 } from "../../predictor/scores.ts";
import { HORIZONS_SECONDS } from "../../predictor/target-forecaster.ts";
import { trainOwnModel } from "../../predictor/training/train-own-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { type Figure, figure } from "../figure.ts";
import { openBenchTraces } from "../load-traces.ts";
import { writeForecastTables } from "../write-forecast-tables.ts";
import { ablations } from "./ablation.ts";
import { LSTM, trainLstmRival } from "./lstm-rival.ts";
import { measureRate, type RateRun } from "./rate.ts";

const DAY = 86_400;
const STRIDE_SECONDS = 10;
/** Errors of neighbouring origins depend on each other: so long are the blocks that are drawn. */
const TWITTER_BLOCK_SECONDS = 6 * 3600;
const AZURE_BLOCK_SECONDS = 300;
/** Of the hour that there is; until then the calibration begins. */
const AZURE_FROM_SECOND = 300;
const PRODUCTION = "variscale";
const HIGHEST_RATIO_END = 0.9;

/** In days: what the LSTM is trained on, where the test begins and ends, and when the network is trained anew on all before. */
interface Split {
  readonly train: number;
  readonly validate: number;
  readonly end: number;
  readonly retrained: readonly number[];
}

const SPLIT: Split = { train: 12, validate: 14, end: 21, retrained: [4, 9, 14] };
const SHORT_SPLIT: Split = { train: 2, validate: 3, end: 4, retrained: [3] };

interface Run {
  readonly options: RateRun;
  readonly result: Backtest;
  readonly rows: readonly BacktestRow[];
}

/** How good forecasts are: all forecasters in one run over the same seconds, each with the same online calibration. */
export async function accuracyFigures(isShort: boolean): Promise<Figure[]> {
  const { values } = parseArgs({
    strict: false,
    options: { traces: { type: "string" }, write: { type: "boolean", default: false } },
  });
  const traces = openBenchTraces(typeof values.traces === "string" ? values.traces : null, isShort);
  const split = isShort ? SHORT_SPLIT : SPLIT;
  const bundled = await openModel(readBundledModel());
  const twitter = await twitterRun(traces.twitter, bundled, split);
  const [conv, code] = [azureRun(traces.azureConv, bundled), azureRun(traces.azureCode, bundled)];
  if (values.write === true)
    writeForecastTables(
      [
        { title: `Twitter, days ${split.validate} to ${split.end - 1}`, rows: twitter.rows },
        { title: "Azure LLM conversations, an hour", rows: conv.rows },
        { title: "Azure LLM code, an hour", rows: code.rows },
      ],
      await ablations(name => say(`ablation: ${name}`)),
    );
  const note = `${traces.note}; trained on days 0 to ${split.validate - 1}, tested on days ${split.validate} to ${split.end - 1}`;
  say("forecasts of the rate");
  return [
    ...twitterFigures(twitter, note, isShort),
    ...measureRate("twitter", twitter.options, note, isShort),
    azureFigure(conv, traces.note, isShort),
  ];
}

/** The network's model is the bundled one at first, and then one that was trained on all that lies before, as the scaler trains it. */
async function twitterRun(trace: LoadTrace, bundled: OpenModel, split: Split): Promise<Run> {
  const models: { readonly second: number; readonly model: OpenModel }[] = [];
  for (const day of split.retrained) {
    say(`training the network on days 0 to ${day - 1}`);
    const trained = await trainOwnModel(cellsOf(beginOf(trace, day * DAY)), []);
    if (trained !== null) models.push({ second: day * DAY, model: await openModel(trained.model) });
  }
  say("training the LSTM");
  const testFromSecond = split.validate * DAY;
  const lstm = await trainLstmRival(await openBackend(), {
    trace,
    horizonsSeconds: HORIZONS_SECONDS,
    trainToSecond: split.train * DAY,
    validateToSecond: testFromSecond,
    onProgress: progress("LSTM"),
  });
  return run({ trace, bundled, models, alone: [lstm], testFromSecond, testToSecond: split.end * DAY });
}

/** Nothing was ever trained on it, nor on anything but generated loads. */
function azureRun(trace: LoadTrace, bundled: OpenModel): Run {
  const testToSecond = trace.ratesRps.length;
  return run({ trace, bundled, models: [], alone: [], testFromSecond: AZURE_FROM_SECOND, testToSecond });
}

function beginOf(trace: LoadTrace, seconds: number): LoadTrace {
  return { startMs: trace.startMs, ratesRps: trace.ratesRps.subarray(0, seconds) };
}

interface RunOptions {
  readonly trace: LoadTrace;
  readonly bundled: OpenModel;
  /** Trained ones, and from which second on they are used. */
  readonly models: readonly { readonly second: number; readonly model: OpenModel }[];
  /** Beside the experts that there are. */
  readonly alone: readonly AskedExpert[];
  readonly testFromSecond: number;
  readonly testToSecond: number;
}

/** All experts together as in production, the network alone, each expert alone. */
function run({ trace, bundled, models, alone, testFromSecond, testToSecond }: RunOptions): Run {
  const shared = [...ALL_EXPERTS, ...alone].map(rememberingExpert);
  const contestant = (name: string, experts: readonly AskedExpert[], hasNetwork: boolean): Contestant => {
    const forecaster = new LoadForecaster({ experts, network: hasNetwork ? new InstantNetwork(bundled) : null });
    const changes = models.map(({ second, model }) => ({
      second,
      apply: () => forecaster.setNetwork(new InstantNetwork(model)),
    }));
    return { name, forecaster, horizonsSeconds: HORIZONS_SECONDS, changes: hasNetwork ? changes : [] };
  };
  const isInProduction = (expert: AskedExpert): boolean => EXPERTS.some(({ name }) => name === expert.name);
  const contestants = [
    contestant(PRODUCTION, shared.filter(isInProduction), true),
    contestant(NETWORK, [], true),
    contestant("withoutNetwork", shared.filter(isInProduction), false),
    ...shared.map(expert => contestant(expert.name, [expert], false)),
  ];
  const options = { trace, contestants, testFromSecond, testToSecond, strideSeconds: STRIDE_SECONDS };
  const result = runBacktest(options, progress("backtest"));
  return { options: { trace, bundled, models, testFromSecond, testToSecond }, result, rows: rowsOf(result) };
}

function twitterFigures({ result, rows }: Run, note: string, isShort: boolean): Figure[] {
  const row = (name: string, horizonSeconds: number): BacktestRow | undefined =>
    rows.find(other => other.forecaster === name && other.horizonSeconds === horizonSeconds);
  const production = HORIZONS_SECONDS.map(horizonSeconds => row(PRODUCTION, horizonSeconds));
  const figures: Figure[] = [];
  for (const [i, horizonSeconds] of HORIZONS_SECONDS.entries()) {
    const name = `twitter.h${horizonSeconds}`;
    const ratio = ratioOf(result, PRODUCTION, LSTM, horizonSeconds, TWITTER_BLOCK_SECONDS);
    figures.push(
      figure(`${name}.pinball95Ratio`, rounded(ratio?.ratio), {
        against: {
          low: rounded(ratio?.low) ?? 0,
          high: rounded(ratio?.high) ?? 0,
          pinball95: rounded(production[i]?.pinball95) ?? 0,
          ipaLstmPinball95: rounded(row(LSTM, horizonSeconds)?.pinball95) ?? 0,
        },
        isWhole: !isShort && ratio !== null && ratio.high <= HIGHEST_RATIO_END,
        note: `against IPA's LSTM, 95 % by block bootstrap up to ${HIGHEST_RATIO_END}; ${note}`,
      }),
      figure(`${name}.smape`, rounded(production[i]?.smape), {
        against: {
          ipaLstm: rounded(row(LSTM, horizonSeconds)?.smape) ?? 0,
          network: rounded(row(NETWORK, horizonSeconds)?.smape) ?? 0,
        },
        isWhole: !isShort,
        note,
      }),
    );
  }
  const best = rows.find(other => other.horizonSeconds === 600 && !isForecaster(other.forecaster));
  figures.push(
    figure("twitter.h600.pinball95", rounded(row(PRODUCTION, 600)?.pinball95), {
      against: {
        [best?.forecaster ?? "none"]: rounded(best?.pinball95) ?? 0,
        network: rounded(row(NETWORK, 600)?.pinball95) ?? 0,
      },
      isWhole: !isShort,
      note: `beside it the best expert that is no network; ${note}`,
    }),
    ...coverageFigures(production, note, isShort),
  );
  return figures;
}

function isForecaster(name: string): boolean {
  return [PRODUCTION, NETWORK, "withoutNetwork", LSTM].includes(name);
}

function coverageFigures(production: readonly (BacktestRow | undefined)[], note: string, isShort: boolean): Figure[] {
  const byHorizon = (of: (row: BacktestRow) => number | null): Record<string, number> =>
    Object.fromEntries(production.map((row, i) => [`h${HORIZONS_SECONDS[i]}`, rounded(row && of(row)) ?? 0]));
  const coverage = byHorizon(row => row.coverage95);
  const worst = byHorizon(row => row.worstDayCoverage95);
  const furthest = Math.max(...Object.values(coverage).map(value => Math.abs(value - 95)));
  return [
    figure("twitter.coverage95Error", rounded(furthest), {
      against: coverage,
      isWhole: !isShort,
      note: `largest distance from 95 % of a horizon; ${note}`,
    }),
    figure("twitter.coverage95WorstDay", rounded(Math.min(...Object.values(worst))), {
      against: worst,
      isWhole: !isShort,
      note,
    }),
  ];
}

function azureFigure({ result }: Run, note: string, isShort: boolean): Figure {
  const [ratio, at60] = [20, 60].map(horizonSeconds =>
    ratioOf(result, NETWORK, "ewma", horizonSeconds, AZURE_BLOCK_SECONDS),
  );
  return figure("azureConv.zeroShotPinballRatio", rounded(ratio?.ratio), {
    against: { low: rounded(ratio?.low) ?? 0, high: rounded(ratio?.high) ?? 0, h60: rounded(at60?.ratio) ?? 0 },
    isWhole: !isShort,
    note: `0.95 quantile of the bundled network alone against EWMA and Poisson maximum, 20 s ahead; ${note}`,
  });
}

function ratioOf(
  result: Backtest,
  name: string,
  against: string,
  horizonSeconds: number,
  blockSeconds: number,
): RatioInterval | null {
  const losses = (of: string): Float64Array => {
    const found = result.results.find(other => other.name === of && other.horizonSeconds === horizonSeconds);
    return pinballLosses95(found?.outcomes ?? new Outcomes());
  };
  return ratioInterval(losses(name), losses(against), blockSeconds / STRIDE_SECONDS);
}

function rounded(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value.toPrecision(4));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A line for every quarter. */
function progress(what: string): (share: number) => void {
  let said = 0;
  return share => {
    if (share < said + 0.25) return;
    said = Math.floor(4 * share) / 4;
    say(`${what}: ${100 * said} %`);
  };
}
