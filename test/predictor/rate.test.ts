import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { RATE_QUANTILES } from "../../domain/load.ts";
import { anscombe, inverseAnscombe } from "../../predictor/anscombe.ts";
import { RATE_EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { meanPinballLoss } from "../../predictor/quantiles.ts";
import { PEAK, RATE, RATE_SECONDS } from "../../predictor/target.ts";
import { LOADS } from "./seeded-loads.ts";

const HORIZON_SECONDS = 20;
const SECONDS = 21_600;
const BURN_IN_SECONDS = 3600;
const SEEDS = [1, 2];
const MIDDLE = RATE_QUANTILES.indexOf(0.5);

describe("the rate that is forecast", () => {
  it("is the mean of the last ten seconds of the horizon, of seconds and of cells", () => {
    const history = new LoadHistory();
    history.startAt(1);
    for (let second = 1; second <= 60; second++) history.push(second);
    // The horizon of 20 s that ended 5 s ago had 36 to 55.
    assert.equal(RATE.read(history, 5, RATE.secondsOf(20)), anscombe(50.5));
    assert.equal(PEAK.read(history, 5, PEAK.secondsOf(20)), anscombe(55));
    const cells = new Float64Array(3);
    RATE.readCells(history, 6, cells);
    // Cells are kept to a hundredth of a percent or so.
    for (const [i, meanRps] of [35.5, 45.5, 55.5].entries()) assert.ok(Math.abs(cells[i]! / meanRps - 1) < 2e-4);
    assert.deepEqual([RATE.join(cells, 0, 2), PEAK.join(cells, 0, 1)], [cells[2], cells[1]]);
  });

  it("foresees the rise of a load that comes back each half hour", () => {
    const forecaster = new LoadForecaster();
    const rateAt = (second: number): number => (second % 1800 >= 1200 ? 200 : 20);
    const last = 6 * 1800 + 1190;
    for (let second = 0; second <= last; second++) forecaster.observe({ atMs: second * 1000, rateRps: rateAt(second) });
    const rateRps = (seconds: number): number => forecaster.forecast(last * 1000, seconds * 1000)!.rateRps[MIDDLE]!;
    // It rises ten seconds from now; the last ten seconds of a minute lie after that.
    assert.ok(rateRps(60) > 120, String(rateRps(60)));
  });

  for (const [name, load] of Object.entries(LOADS)) {
    it(`keeps what its quantiles promise, and is as good as the best expert: ${name}`, function () {
      this.timeout(300_000);
      const covered = RATE_QUANTILES.map(() => 0);
      const expertLosses = RATE_EXPERTS.map(() => 0);
      let [loss, origins] = [0, 0];
      for (const seed of SEEDS) {
        const rates = load(SECONDS, seed);
        const forecaster = new LoadForecaster();
        const history = new LoadHistory();
        for (const [second, rateRps] of rates.entries()) {
          forecaster.observe({ atMs: second * 1000, rateRps });
          history.push(rateRps);
          if (second < BURN_IN_SECONDS || second + HORIZON_SECONDS >= rates.length) continue;
          const ahead = rates.slice(second + 1 + HORIZON_SECONDS - RATE_SECONDS, second + 1 + HORIZON_SECONDS);
          const actual = ahead.reduce((sum, rate) => sum + rate, 0) / RATE_SECONDS;
          const predicted = forecaster.forecast(second * 1000, HORIZON_SECONDS * 1000)!.rateRps;
          origins += 1;
          loss += meanPinballLoss(RATE_QUANTILES, predicted, actual);
          for (const [i, quantile] of predicted.entries()) if (actual <= quantile) covered[i]! += 1;
          for (const [e, expert] of RATE_EXPERTS.entries()) {
            const alone = expert.predict(history, HORIZON_SECONDS).map(inverseAnscombe);
            expertLosses[e]! += meanPinballLoss(RATE_QUANTILES, alone, actual);
          }
        }
      }
      const shares = covered.map(count => count / origins);
      for (const [i, q] of RATE_QUANTILES.entries())
        assert.ok(Math.abs(shares[i]! - q) <= 0.04, `${q}: ${shares[i]}; ${shares}`);
      for (const [e, expert] of RATE_EXPERTS.entries())
        assert.ok(loss <= 1.05 * expertLosses[e]!, `${expert.name} is better: ${loss / expertLosses[e]!}`);
    });
  }
});
