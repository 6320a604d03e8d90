import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { inverseAnscombe } from "../../predictor/anscombe.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { trainLstmBaseline } from "../../predictor/lstm-baseline.ts";
import { LstmNetwork } from "../../predictor/lstm-network.ts";

describe("LstmNetwork", () => {
  it("has the gradient that differences of its predictions show", () => {
    const random = seededRandom(4);
    const network = new LstmNetwork(5, 12, random);
    const inputs = Float64Array.from({ length: 24 }, () => 3 * random());
    const gradient = new Float64Array(network.weights.length);
    network.predict(inputs, 12);
    network.addGradient(inputs, 12, 1, gradient);
    assert.equal(gradient.length, 20 + 100 + 20 + 6);
    let compared = 0;
    for (let i = 0; i < gradient.length; i++) {
      const step = 1e-6;
      const kept = network.weights[i]!;
      const at = (weight: number): number => {
        network.weights[i] = weight;
        return network.predict(inputs, 12);
      };
      const difference = (at(kept + step) - at(kept - step)) / (2 * step);
      network.weights[i] = kept;
      assert.ok(
        Math.abs(difference - gradient[i]!) < 1e-4 * (1 + Math.abs(difference)),
        `${i}: ${difference} ${gradient[i]}`,
      );
      if (Math.abs(difference) > 1e-3) compared += 1;
    }
    assert.ok(compared > 60, String(compared));
  });
});

describe("trainLstmBaseline()", () => {
  it("learns what comes from the last two minutes, the same each time, and gives it as every quantile", () => {
    // Two minutes up, two minutes down: what comes next follows from what was.
    const ratesRps = Float64Array.from({ length: 6000 }, (_, second) =>
      second % 240 < 120 ? 20 + (second % 120) / 2 : 10,
    );
    const train = () => {
      const steps = trainLstmBaseline({
        trace: { startMs: 0, ratesRps },
        horizonSeconds: 20,
        trainToSecond: 5000,
        validateToSecond: 6000,
      });
      for (;;) {
        const step = steps.next();
        if (step.done === true) return step.value;
        assert.ok(step.value >= 0 && step.value < 1);
      }
    };
    const expert = train();
    const again = train();
    const history = new LoadHistory();
    history.startAt(1);
    let [error, naive, count] = [0, 0, 0];
    for (let second = 0; second < 2400; second++) {
      history.push(ratesRps[second]!);
      if (second < 240 || second % 10 !== 9) continue;
      const actual = Math.max(...ratesRps.slice(second + 1, second + 21));
      const predicted = expert.predict(history, 20);
      assert.deepEqual(new Set(predicted).size, 1);
      assert.deepEqual(again.predict(history, 20), predicted);
      error += Math.abs(inverseAnscombe(predicted[0]) - actual);
      naive += Math.abs(history.window(0, 20).highestRps - actual);
      count += 1;
    }
    assert.ok(count > 200 && error < naive / 2, `${error / count} ${naive / count}`);
  });
});
