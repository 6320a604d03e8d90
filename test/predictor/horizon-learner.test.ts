import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Expert } from "../../predictor/expert.ts";
import { HorizonLearner, MOST_PENDING, newHorizonState } from "../../predictor/horizon-learner.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import type { Quantiles } from "../../predictor/quantiles.ts";

const HORIZON_SECONDS = 20;
const experts: readonly Expert[] = [
  { name: "low", predict: ({ second }) => [second, second + 1, second + 2, second + 3] },
  { name: "high", predict: () => [100, 101, 102, 103] },
];
const start = newHorizonState(
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
    const learner = new HorizonLearner(start);
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
    const one = new HorizonLearner(start);
    for (let second = 1; second <= 37; second++) one.learn(historyUpTo(second), experts);
    const other = new HorizonLearner(JSON.parse(JSON.stringify(one.state())));
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
    const learner = new HorizonLearner({ ...start, pending: dense });
    learner.learn(historyUpTo(112), experts);
    const seconds = learner.state().pending.map(({ second }) => second);
    assert.deepEqual(seconds, [101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 112]);
  });

  it("gives what is predicted from the newest second, and nothing of an older one", () => {
    const learner = new HorizonLearner(start);
    learner.learn(historyUpTo(7), experts);
    assert.deepEqual(learner.newestPredictions(historyUpTo(7))?.[0], [7, 8, 9, 10]);
    assert.equal(learner.newestPredictions(historyUpTo(8)), null);
  });
});
