import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { QUANTILES } from "../../domain/load.ts";
import { anscombe, inverseAnscombe } from "../../predictor/anscombe.ts";
import { EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import type { OpenModel } from "../../predictor/network/open-model.ts";
import { meanPinballLoss, type Quantiles } from "../../predictor/quantiles.ts";
import { openTestModel } from "../support/open-backend.ts";
import { LOADS, poissonLoad } from "./seeded-loads.ts";

const SECONDS = 3 * 3600;
const BURN_IN_SECONDS = 3600;
const HORIZON_SECONDS = 20;
const SEEDS = [1, 2, 3];
const YOUNG_HORIZONS_SECONDS = [20, 60];
/** In Anscombe sigmas, on average, at each of them: two requests a second more than where seven to nine are due. */
const MOST_REMEMBERED = [0.55, 0.75];

/** Sums over the windows of all seeds. */
interface Score {
  windows: number;
  /** How often the highest rate of a window stayed at or below each quantile. */
  readonly covered: [number, number, number, number];
  /** Pinball losses in rps. */
  loss: number;
  readonly expertLosses: number[];
}

function addScore(score: Score, rates: readonly number[]): void {
  const forecaster = new LoadForecaster();
  const history = new LoadHistory();
  for (const [second, rateRps] of rates.entries()) {
    const atMs = second * 1000;
    forecaster.observe({ atMs, rateRps });
    history.push(rateRps);
    if (second < BURN_IN_SECONDS || second + HORIZON_SECONDS >= rates.length) continue;
    const actual = Math.max(...rates.slice(second + 1, second + 1 + HORIZON_SECONDS));
    const peakRps = forecaster.forecast(atMs, HORIZON_SECONDS * 1000)!.peakRps;
    score.windows += 1;
    score.loss += meanPinballLoss(QUANTILES, peakRps, actual);
    for (const i of [0, 1, 2, 3] as const) if (actual <= peakRps[i]) score.covered[i] += 1;
    for (const [e, expert] of EXPERTS.entries())
      score.expertLosses[e]! += meanPinballLoss(QUANTILES, toRps(expert.predict(history, HORIZON_SECONDS)), actual);
  }
}

function toRps(prediction: Quantiles): Quantiles {
  return prediction.map(inverseAnscombe);
}

describe("LoadForecaster's forecasts", () => {
  for (const [name, load] of Object.entries(LOADS)) {
    it(`keep what the quantiles promise and are as good as the best expert: ${name}`, function () {
      this.timeout(300_000);
      const score: Score = { windows: 0, covered: [0, 0, 0, 0], loss: 0, expertLosses: EXPERTS.map(() => 0) };
      for (const seed of SEEDS) addScore(score, load(SECONDS, seed));
      const [, cover90, cover95, cover99] = score.covered.map(count => count / score.windows) as Score["covered"];
      const shown = JSON.stringify(score);
      assert.ok(Math.abs(cover90 - 0.9) <= 0.02, shown);
      assert.ok(Math.abs(cover95 - 0.95) <= 0.02, shown);
      assert.ok(cover99 > cover95 && Math.abs(cover99 - 0.99) <= 0.04, shown);
      for (const [e, expert] of EXPERTS.entries())
        assert.ok(score.loss <= 1.05 * score.expertLosses[e]!, `${expert.name} is better: ${shown}`);
    });
  }
});

let bundled: OpenModel;

/** The 0.95 quantile in the Anscombe domain after these rates, by the forecaster of the scaler. */
function plannedPeaks(rates: readonly number[]): readonly number[] {
  const forecaster = new LoadForecaster({ network: new InstantNetwork(bundled) });
  for (const [second, rateRps] of rates.entries()) forecaster.observe({ atMs: second * 1000, rateRps });
  const nowMs = (rates.length - 1) * 1000;
  return YOUNG_HORIZONS_SECONDS.map(seconds => anscombe(forecaster.forecast(nowMs, seconds * 1000)!.peakRps[2]));
}

describe("LoadForecaster's forecasts of a young load", () => {
  before(async () => {
    bundled = await openTestModel();
  });

  for (const [lowRps, highRps] of [
    [0.5, 6],
    [2, 40],
    [10, 100],
  ] as const)
    it(`follow it within three minutes when it falls from ${highRps} to ${lowRps} rps`, () => {
      const [before, high, after] = [60, 300, 180];
      const seeds = Array.from({ length: 12 }, (_, k) => k + 1);
      const above = YOUNG_HORIZONS_SECONDS.map(() => 0);
      for (const seed of seeds) {
        const low = poissonLoad(lowRps)(before + high + after, seed);
        const fell = [...low.slice(0, before), ...poissonLoad(highRps)(high, seed), ...low.slice(before + high)];
        const [afterFall, never] = [plannedPeaks(fell), plannedPeaks(low)];
        for (const h of above.keys()) above[h]! += (afterFall[h]! - never[h]!) / seeds.length;
      }
      for (const [h, excess] of above.entries())
        assert.ok(excess < MOST_REMEMBERED[h]! && excess > -0.5, `${above} sigmas above one that never rose`);
    });

  for (const [lowRps, highRps] of [
    [0.5, 6],
    [2, 40],
  ] as const)
    it(`cover one that rises from ${lowRps} to ${highRps} rps in its second minute`, () => {
      const seeds = Array.from({ length: 8 }, (_, k) => k + 1);
      for (const seconds of YOUNG_HORIZONS_SECONDS) {
        let [covered, windows] = [0, 0];
        for (const seed of seeds) {
          const forecaster = new LoadForecaster({ network: new InstantNetwork(bundled) });
          const rates = [...poissonLoad(lowRps)(60, seed), ...poissonLoad(highRps)(1140, seed)];
          for (const [second, rateRps] of rates.entries()) {
            forecaster.observe({ atMs: second * 1000, rateRps });
            if (second < 90 || second + seconds >= rates.length || second % 5 > 0) continue;
            const peakRps = forecaster.forecast(second * 1000, seconds * 1000)!.peakRps[2];
            windows += 1;
            if (Math.max(...rates.slice(second + 1, second + 1 + seconds)) <= peakRps) covered += 1;
          }
        }
        assert.ok(covered / windows > 0.93, `${covered} of ${windows}, ${seconds} s ahead`);
      }
    });
});
