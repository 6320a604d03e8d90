import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { FEATURES, type FeatureSet, features, levelOf } from "../../predictor/features.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { DeferredNetwork, InstantNetwork } from "../../predictor/network/network.ts";
import { createNetworkExperts } from "../../predictor/network/network-experts.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import { createWeights, OUTPUT_LEVELS, standardise, weightSizes } from "../../predictor/network/network-weights.ts";
import { openTestModel } from "../support/open-backend.ts";
import { predictPlainly } from "./plain-network.ts";

const HORIZONS = [20, 600];

/** Weights as large as those of trained networks: larger ones cancel each other, and single floats lose what is left. */
function createModel(set: FeatureSet, seed: number, members = 3): ForecastModel {
  const random = seededRandom(seed);
  const inputs = FEATURES[set];
  const sizes = weightSizes(inputs);
  const createNumbers = (length: number, read: () => number) => Float32Array.from({ length }, read);
  return {
    features: set,
    horizons: HORIZONS.map(horizonSeconds => ({
      horizonSeconds,
      inputMeans: createNumbers(inputs, () => normal(random)),
      inputDeviations: createNumbers(inputs, () => 0.5 + random()),
      outcomes: { peak: { mean: 2, deviation: 1.5 }, rate: { mean: -0.5, deviation: 0.7 } },
      members: Array.from({ length: members }, () =>
        createWeights(name => createNumbers(sizes[name], () => 0.1 * normal(random))),
      ),
    })),
  };
}

/** The model's weights say this of a row, relative to the level, by plain loops. */
function predictRow({ horizons }: ForecastModel, place: number, row: Float32Array): number[] {
  const { inputMeans, inputDeviations, outcomes, members } = horizons[place]!;
  const inputs = Array.from(row, (value, i) => standardise(value, inputMeans[i]!, inputDeviations[i]!));
  const all = members.map(weights => predictPlainly(weights, inputs));
  return OUTPUT_LEVELS.map((_q, i) => {
    const { mean, deviation } = outcomes[i < 4 ? "peak" : "rate"];
    return mean + (deviation * all.reduce((sum, one) => sum + one[i]!, 0)) / members.length;
  });
}

function createHistory(seconds: number, seed = 1): LoadHistory {
  const random = seededRandom(seed);
  return LoadHistory.from(
    Array.from({ length: seconds }, () => Math.floor(20 * random())),
    5000,
  );
}

function isNear(actual: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i]! - value) <= 1e-4 * Math.max(1, Math.abs(value)), `${actual} is not ${expected}`);
}

describe("OpenModel", () => {
  for (const set of ["recent", "seasonal"] as const)
    it(`predicts what the weights of its members say together, of many rows as of one: ${set}`, async () => {
      const model = createModel(set, 3);
      const open = await openTestModel(model);
      const random = seededRandom(4);
      const width = FEATURES[set];
      const rows = Array.from({ length: 40 }, (_, r) =>
        Float32Array.from({ length: width }, (_v, i) => ((i + r) % 7 === 0 ? Number.NaN : 3 * normal(random))),
      );
      for (const place of HORIZONS.keys()) {
        const together = open.predict(place, Float32Array.from(rows.flatMap(row => [...row])));
        assert.equal(together.length, rows.length * OUTPUT_LEVELS.length);
        for (const [r, row] of rows.entries()) {
          const expected = predictRow(model, place, row);
          isNear([...together.subarray(r * expected.length, (r + 1) * expected.length)], expected);
          isNear([...open.predict(place, row)], expected);
        }
      }
      open.dispose();
    });

  it("leaves no tensor behind", async () => {
    const { memory } = await import("@tensorflow/tfjs-core");
    const before = memory().numTensors;
    const open = await openTestModel(createModel("recent", 1));
    open.predict(0, new Float32Array(FEATURES.recent));
    open.dispose();
    assert.equal(memory().numTensors, before);
  });
});

describe("InstantNetwork", () => {
  it("predicts from the features of the newest second, by the next larger horizon or the largest", async () => {
    const model = createModel("seasonal", 5);
    const network = new InstantNetwork(await openTestModel(model));
    const history = createHistory(300);
    const predictAt = (place: number) => {
      const row = new Float32Array(FEATURES.seasonal);
      const level = levelOf(history);
      features(history, "seasonal", HORIZONS[place]!, level, row);
      return predictRow(model, place, row).map(value => level + value);
    };
    for (let second = 0; second < 3; second++) {
      for (const [seconds, place] of [
        [20, 0],
        [600, 1],
        [10, 0],
        [60, 1],
        [3600, 1],
      ] as const) {
        const { peak, rate } = network.predict(history, seconds)!;
        const expected = predictAt(place);
        isNear(
          peak,
          expected.slice(0, 4).sort((x, y) => x - y),
        );
        isNear(
          rate,
          expected.slice(4).sort((x, y) => x - y),
        );
      }
      history.push(100 * second);
    }
  });

  it("says nothing of a load of which less than a minute is known", async () => {
    const network = new InstantNetwork(await openTestModel());
    assert.equal(network.predict(createHistory(45), 20), null);
    assert.notEqual(network.predict(createHistory(60), 20), null);
    const history = createHistory(300);
    history.skip(75);
    assert.equal(network.predict(history, 20), null);
  });
});

describe("DeferredNetwork", () => {
  it("says what it was answered: for its second for good, and for up to two seconds after it", async () => {
    const model = createModel("seasonal", 6);
    const open = await openTestModel(model);
    const instant = new InstantNetwork(open);
    const history = createHistory(300);
    const network = new DeferredNetwork(model);
    assert.deepEqual(network.takeQuestions(), []);
    const first = history.second;
    const expected = HORIZONS.map(seconds => instant.predict(history, seconds)!);
    for (const seconds of HORIZONS) assert.equal(network.predict(history, seconds), null);
    network.predict(history, 20);
    const questions = network.takeQuestions();
    assert.equal(questions.length, HORIZONS.length, "a horizon is asked for once a second");
    assert.deepEqual(network.takeQuestions(), [], "a question is given once");
    const others = new Float32Array(FEATURES.seasonal);
    for (const question of questions) {
      const rows = Float32Array.from([...others, ...question.row]);
      network.answer(question, open.predict(question.horizon, rows), 1);
    }
    for (let age = 0; age < 4; age++) {
      for (const [place, seconds] of HORIZONS.entries()) {
        const predicted = network.predict(history, seconds);
        const recalled = network.recall(first, seconds)!;
        if (age > 2) assert.equal(predicted, null, `it is ${age} s old`);
        for (const name of ["peak", "rate"] as const) {
          if (age <= 2) isNear(predicted![name], expected[place]![name]);
          isNear(recalled[name], expected[place]![name]);
        }
        assert.equal(network.recall(first + 1, seconds), null);
      }
      history.push(5);
    }
  });

  it("asks nothing of a load of which less than a minute is known", () => {
    const network = new DeferredNetwork(createModel("recent", 1));
    network.predict(createHistory(45), 20);
    assert.deepEqual(network.takeQuestions(), []);
  });

  it("keeps few questions where nobody takes them, and says nothing where an answer is no number", () => {
    const network = new DeferredNetwork(createModel("recent", 1));
    const history = createHistory(300);
    for (let second = 0; second < 100; second++) {
      network.predict(history, 20);
      history.push(5);
    }
    const questions = network.takeQuestions();
    assert.deepEqual([questions.length, questions.at(-1)?.second], [16, history.second - 1]);
    network.answer(questions.at(-1)!, new Float32Array(OUTPUT_LEVELS.length).fill(Number.POSITIVE_INFINITY), 0);
    assert.equal(network.predict(history, 20), null);
  });

  it("learns of a block of seconds what an instant network would, once it is answered", async () => {
    const open = await openTestModel();
    const deferred = new DeferredNetwork(open.model);
    const late = new LoadForecaster({ network: deferred });
    const instant = new LoadForecaster({ network: new InstantNetwork(open) });
    const random = seededRandom(3);
    for (let second = 0; second < 1800; second++) {
      const sample = { atMs: 1000 * second, rateRps: Math.floor(20 * random()) };
      for (const forecaster of [late, instant]) forecaster.observe(sample);
      if (second % 15 !== 14) continue;
      for (const question of deferred.takeQuestions())
        deferred.answer(question, open.predict(question.horizon, question.row), 0);
    }
    const [waited, computed] = [late, instant].map(one => one.status().map(({ weights }) => weights["network"]!));
    for (const [h, weight] of computed!.entries())
      assert.ok(Math.abs(weight - waited![h]!) < 0.02, `${waited} ${computed}`);
  });

  it("leaves forecasts as they are without it until it is answered", () => {
    const plain = new LoadForecaster();
    const network = new DeferredNetwork(createModel("recent", 1));
    const beside = new LoadForecaster({ network });
    const random = seededRandom(2);
    for (let second = 0; second < 900; second++) {
      const sample = { atMs: 1000 * second, rateRps: Math.floor(10 * random()) };
      for (const forecaster of [plain, beside]) forecaster.observe(sample);
    }
    for (const seconds of [20, 60, 600, 1800]) {
      const [alone, both] = [plain, beside].map(one => one.forecast(900_000, 1000 * seconds)!);
      isNear(both!.peakRps, alone!.peakRps);
      isNear(both!.rateRps, alone!.rateRps);
    }
  });

  it("is one expert for each target", () => {
    const { peak, rate } = createNetworkExperts(new DeferredNetwork(createModel("recent", 1)));
    assert.deepEqual([peak?.name, rate?.name], ["network", "network"]);
    assert.deepEqual(createNetworkExperts(null), { peak: null, rate: null });
  });
});
