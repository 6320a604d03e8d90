import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateLoad } from "../load/generate-load.ts";
import { LOAD_KINDS } from "../load/load-kinds.ts";
import { packCells } from "../predictor/cell-codec.ts";
import { cellsOf } from "../predictor/cells-of.ts";
import { FEATURES } from "../predictor/features.ts";
import { weightSizes } from "../predictor/network/network-weights.ts";
import { TrainingThread } from "../scaler/forecasting/training-thread.ts";
import { appendToArchive } from "../scaler/history-archive.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";
import { accuracyFigures } from "./forecaster/accuracy.ts";
import type { FleetMessage } from "./forecaster/fleet.ts";
import { scalerEnvironment, scalerNodeFlags } from "./scaler-node-flags.ts";

const DAY = 86_400;
/** Ten-second cells of so many days give 100,000 windows to train on, beside those that are held out. */
const TRAINING_DAYS = 15;
/** With `--short`: too little to count, enough to see that it works. */
const SHORT_DAYS = 2;
const LAG_EVERY_MS = 5;
const HISTORY_DAYS = 21;
const FLEET = 1000;
/** What Node takes for V8's heap in a container of the chart's 384 MiB, and of 512. With more, V8 lets garbage lie. */
const FLEET_HEAP_MIB = 256;
const SHORT_FLEET = 50;

/** How good forecasts are, what training takes and what the main loop feels of it, the time of a forecast, and a fleet of forecasters in one process. */
export async function forecasterSuite(only: readonly string[] | null): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const parts = { accuracy: accuracyFigures, training: trainingFigures, fleet: fleetFigures };
  const figures: Figure[] = [];
  for (const part of askedParts(only, ["accuracy", "training", "fleet"])) figures.push(...(await parts[part](isShort)));
  return figures;
}

/** One network, eight passes and one to catch up, on one core without rests; what its rows take is in it. */
async function trainingFigures(isShort: boolean): Promise<Figure[]> {
  const days = isShort ? SHORT_DAYS : TRAINING_DAYS;
  const cells = cellsOf(generateLoad(LOAD_KINDS.web, days * DAY, 1));
  const thread = new TrainingThread({ onOpened: () => undefined });
  const request = {
    cells: packCells(cells),
    archivePath: null,
    nowMs: 0,
    current: null,
    share: 1,
    horizonsSeconds: [20],
    seeds: [1],
    epochs: null,
  };
  const restingLag = await lagWhile(new Promise(resolve => setTimeout(resolve, 5000)));
  const beforeMiB = process.memoryUsage.rss() / 2 ** 20;
  const startMs = performance.now();
  const training = thread.train(request);
  const lag = await lagWhile(training);
  const seconds = (performance.now() - startMs) / 1000;
  const result = await training;
  await thread.close();
  if (result.kind !== "trained") throw new Error(`the training gave ${JSON.stringify(result)}`);
  const rows = result.horizons[0]?.rows ?? 0;
  const weights = Object.values(weightSizes(FEATURES.seasonal)).reduce((sum, size) => sum + size, 0);
  const note = `${rows} windows of ${FEATURES.seasonal} features, 8 epochs and one to catch up, one network of ${weights} weights; reading and preparing the rows is in it`;
  return [
    figure("training.seconds100k", round((seconds * 100_000) / rows), {
      against: { seconds: round(seconds), rows, rssGrowthMiB: round(lag.largestMiB - beforeMiB) },
      isWhole: !isShort,
      note,
    }),
    figure("training.mainLoopLagP99Ms", round(lag.p99Ms), {
      against: { largestMs: round(lag.largestMs), restingP99Ms: round(restingLag.p99Ms), samples: lag.samples },
      isWhole: !isShort,
      note: `how late a timer of ${LAG_EVERY_MS} ms comes in the main thread while the other thread trains on all of a core`,
    }),
  ];
}

async function lagWhile(work: Promise<unknown>): Promise<{
  readonly p99Ms: number;
  readonly largestMs: number;
  readonly samples: number;
  readonly largestMiB: number;
}> {
  const lags: number[] = [];
  let largestMiB = 0;
  let beforeMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    lags.push(Math.max(0, nowMs - beforeMs - LAG_EVERY_MS));
    if (lags.length % 50 === 0) largestMiB = Math.max(largestMiB, process.memoryUsage.rss() / 2 ** 20);
    beforeMs = nowMs;
  }, LAG_EVERY_MS);
  await work;
  clearInterval(timer);
  lags.sort((a, b) => a - b);
  const p99Ms = lags[Math.floor(0.99 * lags.length)] ?? 0;
  return { p99Ms, largestMs: lags.at(-1) ?? 0, samples: lags.length, largestMiB };
}

/** In a process of its own, started as the scaler is, whose memory is theirs alone: their load is generated here. */
async function measuredFleet(pipelines: number): Promise<FleetMessage> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-"));
  try {
    const load = generateLoad(LOAD_KINDS.web, HISTORY_DAYS * DAY, 1);
    const archivePath = join(folder, "web.cells");
    appendToArchive(archivePath, cellsOf(load));
    const startMs = load.startMs + HISTORY_DAYS * DAY * 1000;
    const script = fileURLToPath(new URL("./forecaster/fleet.js", import.meta.url));
    const child = fork(script, [archivePath, String(startMs), String(pipelines)], {
      execArgv: [...scalerNodeFlags(), `--max-heap-size=${FLEET_HEAP_MIB}`],
      env: scalerEnvironment(),
    });
    const fleet = await new Promise<FleetMessage>((resolve, reject) => {
      child.once("message", message => resolve(message as FleetMessage));
      child.once("exit", code => reject(new Error(`the fleet ended with ${code}`)));
    });
    child.kill();
    return fleet;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fleetFigures(isShort: boolean): Promise<Figure[]> {
  const pipelines = isShort ? SHORT_FLEET : FLEET;
  const fleet = await measuredFleet(pipelines);
  const note = `${pipelines} pipelines with three weeks of load, ${fleet.ownModels} of them with a model of their own`;
  return [
    figure("forecast.p50Ms", round(fleet.forecastP50Ms), {
      against: { p99Ms: round(fleet.forecastP99Ms), samples: fleet.samples },
      isWhole: !isShort,
      note: "a sample and the forecast of 20 s after it where all experts predict anew: the inputs of three seasonal networks too, which their thread computes",
    }),
    figure("fleet.cpuShare", round(fleet.cpuShare), {
      isWhole: !isShort,
      note: `of a core: a sample every second, a forecast every 10 s; ${note}`,
    }),
    figure("fleet.rssMiB", round(fleet.rssMiB), {
      against: { withoutPipelinesMiB: round(fleet.baseMiB) },
      isWhole: !isShort,
      note: `V8's heap is at most ${FLEET_HEAP_MIB} MiB, as in a container of 384 or 512; ${note}`,
    }),
  ];
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
