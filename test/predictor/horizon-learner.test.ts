import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { AskedExpert, Expert } from "../../predictor/expert.ts";
import { createHorizonState, HorizonLearner, MOST_PENDING } from "../../predictor/horizon-learner.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import type { Quantiles } from "../../predictor/quantiles.ts";
import { PEAK } from "../../predictor/target.ts";

const HORIZON_SECONDS = 20;
const experts: readonly Expert[] = [
  { name: "low", predict: ({ second }) => [second, second + 1, second + 2, second + 3] },
  { name: "high", predict: () => [100, 101, 102, 103] },
];
const start = createHorizonState(
  PEAK,
  HORIZON_SECONDS,
  experts.map(({ name }) => name),
);

function historyUpTo(second: number): LoadHistory {
  const history = new LoadHistory();
  history.startAt(1);
  for (let k = 0; k < second; k++) history.push(10);
  return history;
}

describe("HorizonLearner", () => {
  it("keeps each prediction until its horizon is over, the oldest first", () => {
    const learner = new HorizonLearner(PEAK, start);
    for (let second = 1; second <= 51; second++) learner.learn(historyUpTo(second), experts);
    const { pending, calibration } = learner.state();
    assert.deepEqual(
      pending.map(({ second }) => second),
      [33, 35, 37, 39, 41, 43, 45, 47, 49, 51],
    );
    for (const { second, experts: predictions } of pending)
      assert.deepEqual(predictions, [
        [second, second + 1, second + 2, second + 3],
        [100, 101, 102, 103],
      ]);
    assert.equal(calibration.outcomes, 16);
  });

  it("goes on from its state as if it had not been written down", () => {
    const one = new HorizonLearner(PEAK, start);
    for (let second = 1; second <= 37; second++) one.learn(historyUpTo(second), experts);
    const other = new HorizonLearner(PEAK, JSON.parse(JSON.stringify(one.state())));
    for (let second = 38; second <= 70; second++)
      for (const learner of [one, other]) learner.learn(historyUpTo(second), experts);
    assert.deepEqual(other.state(), one.state());
  });

  it("drops the oldest where more wait than there is room for", () => {
    const prediction: Quantiles = [1, 2, 3, 4];
    const dense = Array.from({ length: MOST_PENDING }, (_, k) => ({
      second: 100 + k,
      experts: [prediction, prediction],
      issued: prediction,
    }));
    const learner = new HorizonLearner(PEAK, { ...start, pending: dense });
    learner.learn(historyUpTo(112), experts);
    const seconds = learner.state().pending.map(({ second }) => second);
    assert.deepEqual(seconds, [101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 112]);
  });

  it("gives what is predicted from the newest second, and nothing of an older one", () => {
    const learner = new HorizonLearner(PEAK, start);
    learner.learn(historyUpTo(7), experts);
    assert.deepEqual(learner.newestPredictions(historyUpTo(7), experts)?.[0], [7, 8, 9, 10]);
    assert.equal(learner.newestPredictions(historyUpTo(8), experts), null);
  });

  /** It answers what it was asked when `answered` says so. */
  const createLate = () => {
    const answered = new Set<number>();
    const expert: AskedExpert = {
      name: "high",
      predict: () => null,
      recall: second => (answered.has(second) ? [200, 201, 202, 203] : null),
    };
    return { answered, asked: [experts[0]!, expert] };
  };

  it("takes what an expert says later for the second that it was asked for", () => {
    const learner = new HorizonLearner(PEAK, start);
    const { answered, asked } = createLate();
    learner.learn(historyUpTo(7), asked);
    assert.deepEqual(learner.newestPredictions(historyUpTo(7), asked), [[7, 8, 9, 10], null]);
    assert.deepEqual(learner.state().pending[0]?.issued, [7, 8, 9, 10], "it is issued without who is silent");
    answered.add(7);
    assert.deepEqual(learner.newestPredictions(historyUpTo(7), asked)?.[1], [200, 201, 202, 203]);
    assert.deepEqual(learner.state().pending[0]?.experts[1], [200, 201, 202, 203]);
  });

  it("judges an expert by what it has said by the end of the horizon, and as what was issued where it said nothing", () => {
    const learner = new HorizonLearner(PEAK, start);
    const { answered, asked } = createLate();
    answered.add(3);
    for (let second = 1; second <= 21; second++) learner.learn(historyUpTo(second), asked);
    const [low, silent] = learner.state().lossSums;
    assert.deepEqual(silent, low, "the other one alone was issued");
    for (let second = 22; second <= 23; second++) learner.learn(historyUpTo(second), asked);
    const [, late] = learner.state().lossSums;
    assert.ok(late![0]! > silent![0]! + 4, `${late} after ${silent}`);
    assert.ok(learner.state().pending.every(({ experts: all }) => all.flat().every(Number.isFinite)));
  });

  it("expects the load to stay as it is where no expert says anything", () => {
    const learner = new HorizonLearner(PEAK, { ...start, lossSums: start.lossSums.slice(0, 1) });
    const silent: AskedExpert = { name: "silent", predict: () => null };
    learner.learn(historyUpTo(70), [silent]);
    const level = 2 * Math.sqrt(10 + 3 / 8);
    for (const value of learner.state().pending[0]?.issued ?? []) assert.ok(Math.abs(value - level) < 1e-6);
  });
});
