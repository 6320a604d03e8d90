/** Many forecasters with full histories, read from the archive that is given, in one process; sends what they cost and ends. */
import { generateLoad } from "../load/generate-load.ts";
import { LOAD_KINDS } from "../load/load-kinds.ts";
import { seededRandom } from "../load/seeded-random.ts";
import { FEATURES } from "../predictor/features.ts";
import { HORIZONS_SECONDS, LoadForecaster } from "../predictor/load-forecaster.ts";
import type { ForecastModel } from "../predictor/network-model.ts";
import { type NetworkWeights, PART_NAMES, weightSizes } from "../predictor/quantile-network.ts";
import { readBundledModel } from "../scaler/bundled-model.ts";
import { MOST_OWN_MODELS } from "../scaler/forecast-trainer.ts";
import { readArchive } from "../scaler/history-archive.ts";

export interface FleetMessage {
  readonly ownModels: number;
  readonly baseMiB: number;
  readonly rssMiB: number;
  readonly cpuShare: number;
  readonly forecastP50Ms: number;
  readonly forecastP99Ms: number;
  readonly samples: number;
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
const forecasters = Array.from({ length: pipelines }, (_, i) => open(i));

for (let second = 0; second < WARM_UP_SECONDS; second++) await step(second);
const before = process.cpuUsage();
for (let second = WARM_UP_SECONDS; second < WARM_UP_SECONDS + MEASURED_SECONDS; second++) await step(second);
const { user, system } = process.cpuUsage(before);
const fleetMiB = rssMiB();
const times = timesOf(open(0));
process.send?.({
  ownModels: Math.min(pipelines, MOST_OWN_MODELS),
  baseMiB,
  rssMiB: fleetMiB,
  cpuShare: (user + system) / 1e6 / MEASURED_SECONDS,
  forecastP50Ms: times[Math.floor(times.length / 2)] ?? 0,
  forecastP99Ms: times[Math.floor(0.99 * times.length)] ?? 0,
  samples: times.length,
} satisfies FleetMessage);

function open(index: number): LoadForecaster {
  const model = index < MOST_OWN_MODELS ? ownModel(index) : bundled;
  return LoadForecaster.restore(
    null,
    { model, phaseSeconds: PHASE_SECONDS * index },
    readArchive(archivePath, startMs),
  );
}

/** Each pipeline at another place of the load, so that they do not do the same at the same time. */
async function step(second: number): Promise<void> {
  for (const [i, forecaster] of forecasters.entries()) {
    const atMs = startMs + second * 1000;
    forecaster.observe({ atMs, rateRps: ratesRps[(second + 37 * i) % ratesRps.length] || 0 });
    if ((second + i) % FORECAST_EVERY_SECONDS === 0) forecaster.forecast(atMs, HORIZON_MS);
  }
  // V8 does part of its collection between two turns of the event loop.
  await new Promise(setImmediate);
}

/** Of the seconds in which the experts predict the next 20 s, in ms, rising. */
function timesOf(forecaster: LoadForecaster): number[] {
  const times: number[] = [];
  for (let second = 0; second < TIMED_SECONDS; second++) {
    const atMs = startMs + second * 1000;
    const pendingBefore = forecaster.snapshot().horizons[0]?.pending.at(-1)?.second;
    const sinceMs = performance.now();
    forecaster.observe({ atMs, rateRps: ratesRps[second] || 0 });
    forecaster.forecast(atMs, HORIZON_MS);
    const tookMs = performance.now() - sinceMs;
    if (forecaster.snapshot().horizons[0]?.pending.at(-1)?.second !== pendingBefore) times.push(tookMs);
  }
  return times.sort((a, b) => a - b);
}

/** Weights of a model that was trained cost the same as any others. */
function ownModel(seed: number): ForecastModel {
  const random = seededRandom(seed);
  const inputs = FEATURES.seasonal;
  const sizes = weightSizes(inputs);
  const member = (): NetworkWeights =>
    Object.fromEntries(
      PART_NAMES.map(name => [name, Float32Array.from({ length: sizes[name] }, () => 0.1 * (random() - 0.5))]),
    ) as unknown as NetworkWeights;
  return {
    features: "seasonal",
    horizons: HORIZONS_SECONDS.map(horizonSeconds => ({
      horizonSeconds,
      inputMeans: new Float32Array(inputs),
      inputDeviations: new Float32Array(inputs).fill(1),
      outcomeMean: 2,
      outcomeDeviation: 1,
      members: [member(), member(), member()],
    })),
  };
}

function rssMiB(): number {
  return process.memoryUsage.rss() / 2 ** 20;
}
