/**
 * Many forecasters with full histories, read from the archive that is given, in one process, with the thread that computes their networks; sends what
 * they cost and ends.
 */
import { generateLoad } from "../../load/generate-load.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { FEATURES } from "../../predictor/features.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { DeferredNetwork } from "../../predictor/network/network.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import {
  createWeights,
  type NetworkWeights,
  OUTPUT_LEVELS,
  weightSizes,
} from "../../predictor/network/network-weights.ts";
import { HORIZONS_SECONDS } from "../../predictor/target-forecaster.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { MOST_OWN_MODELS } from "../../scaler/forecasting/forecast-trainer.ts";
import { NetworkThread } from "../../scaler/forecasting/network-thread.ts";
import { readArchive } from "../../scaler/history-archive.ts";

export interface FleetMessage {
  readonly ownModels: number;
  readonly baseMiB: number;
  readonly rssMiB: number;
  readonly cpuShare: number;
  readonly forecastP50Ms: number;
  readonly forecastP99Ms: number;
  readonly samples: number;
}

interface Member {
  readonly network: DeferredNetwork;
  readonly forecaster: LoadForecaster;
}

/** Until pending predictions of all horizons are there. */
const WARM_UP_SECONDS = 700;
const MEASURED_SECONDS = 60;
const FORECAST_EVERY_SECONDS = 10;
const HORIZON_MS = 20_000;
/** Their experts are not all fitted at once, as in the scaler. */
const PHASE_SECONDS = 37;
const TIMED_SECONDS = 24_000;

const bundled = readBundledModel();
const [, , archivePath = "", startText = "", pipelinesText = ""] = process.argv;
const startMs = Number(startText);
const pipelines = Number(pipelinesText);
const { ratesRps } = generateLoad(LOAD_KINDS.web, 86_400, 2);
const baseMiB = rssMiB();
const fleet = Array.from({ length: pipelines }, (_, i) => open(i));
let onAnswer: () => void = () => undefined;
const thread = new NetworkThread({
  onOpened: () => undefined,
  onProblem: problem => {
    if (problem !== null) throw new Error(problem);
    onAnswer();
  },
});

for (let second = 0; second < WARM_UP_SECONDS; second++) await step(second);
const before = process.cpuUsage();
for (let second = WARM_UP_SECONDS; second < WARM_UP_SECONDS + MEASURED_SECONDS; second++) await step(second);
const { user, system } = process.cpuUsage(before);
const fleetMiB = rssMiB();
await thread.close();
const times = measureTimes(open(0));
process.send?.({
  ownModels: Math.min(pipelines, MOST_OWN_MODELS),
  baseMiB,
  rssMiB: fleetMiB,
  cpuShare: (user + system) / 1e6 / MEASURED_SECONDS,
  forecastP50Ms: times[Math.floor(times.length / 2)] ?? 0,
  forecastP99Ms: times[Math.floor(0.99 * times.length)] ?? 0,
  samples: times.length,
} satisfies FleetMessage);

function open(index: number): Member {
  const network = new DeferredNetwork(index < MOST_OWN_MODELS ? ownModel(index) : bundled);
  const options = { network, phaseSeconds: PHASE_SECONDS * index };
  return { network, forecaster: LoadForecaster.restore(null, options, readArchive(archivePath, startMs)) };
}

/** Each pipeline at another place of the load, so that they do not do the same at the same time. */
async function step(second: number): Promise<void> {
  for (const [i, { forecaster }] of fleet.entries()) {
    const atMs = startMs + second * 1000;
    forecaster.observe({ atMs, rateRps: ratesRps[(second + 37 * i) % ratesRps.length] || 0 });
    if ((second + i) % FORECAST_EVERY_SECONDS === 0) forecaster.forecast(atMs, HORIZON_MS);
  }
  // V8 does part of its collection between two turns of the event loop.
  await new Promise<void>(resolve => {
    onAnswer = resolve;
    if (!thread.ask(fleet.map(({ network }) => network))) resolve();
  });
}

/** Measures the seconds in which the experts predict the next 20 s, in ms, rising. What the network's own thread takes is not in it. */
function measureTimes({ forecaster, network }: Member): number[] {
  const outputs = new Float32Array(OUTPUT_LEVELS.length);
  const times: number[] = [];
  for (let second = 0; second < TIMED_SECONDS; second++) {
    const atMs = startMs + second * 1000;
    const pendingBefore = forecaster.snapshot().peak.horizons[0]?.pending.at(-1)?.second;
    const sinceMs = performance.now();
    forecaster.observe({ atMs, rateRps: ratesRps[second] || 0 });
    forecaster.forecast(atMs, HORIZON_MS);
    const tookMs = performance.now() - sinceMs;
    for (const question of network.takeQuestions()) network.answer(question, outputs, 0);
    if (forecaster.snapshot().peak.horizons[0]?.pending.at(-1)?.second !== pendingBefore) times.push(tookMs);
  }
  return times.sort((a, b) => a - b);
}

/** Weights of a model that was trained cost the same as any others. */
function ownModel(seed: number): ForecastModel {
  const random = seededRandom(seed);
  const inputs = FEATURES.seasonal;
  const sizes = weightSizes(inputs);
  const member = (): NetworkWeights =>
    createWeights(name => Float32Array.from({ length: sizes[name] }, () => 0.1 * (random() - 0.5)));
  return {
    features: "seasonal",
    horizons: HORIZONS_SECONDS.map(horizonSeconds => ({
      horizonSeconds,
      inputMeans: new Float32Array(inputs),
      inputDeviations: new Float32Array(inputs).fill(1),
      outcomes: { peak: { mean: 2, deviation: 1 }, rate: { mean: 0, deviation: 1 } },
      members: [member(), member(), member()],
    })),
  };
}

function rssMiB(): number {
  return process.memoryUsage.rss() / 2 ** 20;
}
