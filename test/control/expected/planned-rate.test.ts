import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Rates } from "../../../control/demand.ts";
import { choosePlannedRate } from "../../../control/expected/planned-rate.ts";
import { UNTUNED } from "../../../control/tuning.ts";
import type { Forecast } from "../../../domain/load.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { expectValue } from "../../../optimizer/mix/expected-value.ts";
import { optimize } from "../../../optimizer/optimize.ts";
import type { Problem } from "../../../optimizer/problem.ts";
import { problemOf } from "../../optimizer/problems.ts";
import { pipelineFixture, twoStages } from "../../support/pipeline-fixture.ts";
import { certain, Story } from "../story.ts";

const DEMAND_RPS = 60;
/** The highest second may be one of 60 requests; the rate is one of 20, and hardly ever of more than 30. */
const RATES: Rates = {
  rateRps: DEMAND_RPS,
  risenRps: 0,
  nowRps: 19,
  ratesRps: [18, 18, 19, 20, 21, 23, 26, 30],
  peaksRps: [30, 55, 60, 70],
};

function choose(pipeline: Pipeline = twoStages(), rates: Partial<Rates> = {}, more: Partial<Problem> = {}): number {
  return choosePlannedRate(problemOf(pipeline, DEMAND_RPS, more), { ...RATES, ...rates }, null, UNTUNED);
}

describe("choosePlannedRate()", () => {
  it("takes a quantile of the rate where lighter variants serve what may come beyond it", () => {
    const rateRps = choose();
    assert.ok([20, 23].includes(rateRps), String(rateRps));
  });

  it("takes the demand where accuracy is all that counts, and the median where cores are", () => {
    const weigh = (cost: number) => twoStages({ objective: { weights: { accuracy: 1, cost, batch: 0, switch: 0 } } });
    const ratesRps = [18, 18, 19, 20, 40, 60, 70, 80];
    assert.equal(choose(weigh(0), { ratesRps }), DEMAND_RPS);
    assert.equal(choose(weigh(0.1), { ratesRps }), 20);
  });

  it("is never below the load as it is, nor above the demand", () => {
    assert.equal(choose(twoStages(), { nowRps: 45 }), 45);
    assert.equal(choose(twoStages(), { nowRps: 59 }), DEMAND_RPS);
    assert.equal(choose(twoStages(), { ratesRps: RATES.ratesRps.map(rate => 10 * rate) }), DEMAND_RPS);
    assert.ok(choose(twoStages(), { nowRps: 0, ratesRps: RATES.ratesRps.map(() => 0) }) > 0);
  });

  it("takes no rate whose plan would miss more than the SLO allows, even by its lightest variants", () => {
    // One replica of `read` carries 4 rows of 250 requests by `light`; plans for 20 rps have one or two, and costs of cores decide all else.
    const pipeline = twoStages({ objective: { weights: { accuracy: 0.01, cost: 1, batch: 0, switch: 0 } } });
    const problem = problemOf(pipeline, 500);
    const calm = { ...RATES, rateRps: 500, ratesRps: [20, 20, 20, 20, 20, 20, 20, 20], peaksRps: [20, 20, 20, 20] };
    assert.equal(choosePlannedRate(problem, calm, null, UNTUNED), 20);
    const rising = { ...calm, peaksRps: [20, 450, 480, 500] };
    assert.ok(choosePlannedRate(problem, rising, null, UNTUNED) > 400);
  });

  it("keeps to the least accuracy that the file asks for", () => {
    const weights = { accuracy: 1, cost: 0.1, batch: 0, switch: 0 };
    const ratesRps = [18, 18, 19, 20, 40, 60, 70, 80];
    assert.equal(choose(twoStages({ objective: { weights } }), { ratesRps }), 20);
    assert.ok(choose(twoStages({ objective: { weights, minAccuracy: 0.9 } }), { ratesRps }) > 20);
  });

  it("is the demand where replicas serve the planned variant alone or share a machine, for other policies, and where a tuning says its quantile", () => {
    assert.equal(choose(twoStages({ serving: { rule: "fixed" } })), DEMAND_RPS);
    assert.equal(choose(twoStages({ serving: { shadow: true } })), DEMAND_RPS);
    assert.equal(choose(twoStages(), {}, { limits: { cores: null, machineCores: 64 } }), DEMAND_RPS);
    for (const policy of ["ipa", "infaas", "modelSwitching", "reactive"])
      assert.equal(choose(twoStages({ objective: { policy } })), DEMAND_RPS, policy);
    const tuning = { ...UNTUNED, forecastQuantile: 0.9 };
    assert.equal(choosePlannedRate(problemOf(twoStages(), DEMAND_RPS), RATES, null, tuning), DEMAND_RPS);
  });

  it("is the demand where there is nothing lighter than what is planned", () => {
    const pins = [
      { stage: "detect", variant: "middle", batch: null, replicas: null },
      { stage: "read", variant: "middle", batch: null, replicas: null },
    ];
    assert.equal(choose(twoStages(), {}, { pins }), DEMAND_RPS);
    assert.equal(choose(twoStages(), {}, { combine: { detect: { kind: "vote", correlation: 0 } } }), DEMAND_RPS);
    const single = pipelineFixture([{ name: "a", ladder: { only: [25, 0.9] } }]);
    assert.equal(choose(single), DEMAND_RPS);
  });

  it("stays at a higher rate where a lower one gains hardly anything, and not where that gains more", () => {
    const rates = { ...RATES, ratesRps: [18, 18, 19, 20, 40, 60, 70, 80] };
    const createProblem = (cost: number, rateRps = DEMAND_RPS) =>
      problemOf(twoStages({ objective: { weights: { accuracy: 1, cost, batch: 0, switch: 0 } } }), rateRps);
    const at = (cost: number, keptRps: number | null) =>
      choosePlannedRate(createProblem(cost), rates, keptRps, UNTUNED);
    const valueAt = (cost: number, rateRps: number): number => {
      const problem = createProblem(cost, rateRps);
      // As it is chosen: the upper half of the quantiles is no less than the load as it is.
      return expectValue(problem, optimize(problem), rates).value;
    };
    const costs = Array.from({ length: 200 }, (_, i) => 0.00005 * (i + 1));
    const gains = costs.map(cost => ({ cost, gain: valueAt(cost, 20) - valueAt(cost, 50) }));
    const few = gains.filter(({ cost, gain }) => gain > 0 && gain < 0.002 && at(cost, null) === 20);
    const many = gains.filter(({ gain }) => gain > 0.0021);
    assert.ok(few.length > 0 && many.length > 0, JSON.stringify(gains));
    for (const { cost } of few) assert.equal(at(cost, 50), 50, `${cost}`);
    for (const { cost } of many) assert.equal(at(cost, 50), at(cost, null), `${cost}`);
    // A kept rate is no reason to plan for less than the load as it is, or for more than the demand.
    assert.equal(at(0.1, 10), 20);
    assert.equal(at(0.1, 100), 20);
  });

  it("is what is expected where only the demand is too much for the limits, and the demand where all is", () => {
    const limits = { cores: 2, machineCores: null };
    const demandRps = 5000;
    const at = (ratesRps: readonly number[]) =>
      choosePlannedRate(problemOf(twoStages(), demandRps, { limits }), { ...RATES, ratesRps }, null, UNTUNED);
    assert.equal(at(RATES.ratesRps.map(() => 20)), 20);
    assert.equal(at(RATES.ratesRps.map(() => 4000)), demandRps);
  });
});

describe("tick(), where more may come than is expected", () => {
  const spread = (story: Story, change: Partial<Forecast> = {}): Forecast => ({
    ...certain(DEMAND_RPS, story.nowMs),
    intensityRps: [30, 55, DEMAND_RPS, 70],
    rateRps: RATES.ratesRps,
    reactiveRps: 16,
    ...change,
  });
  const run = (pipeline: Pipeline): Story =>
    new Story(pipeline).run(90, 16, told => {
      told.input = { forecast: spread(told) };
    });

  it("has fewer replicas than for all of it, and says what it was chosen from", () => {
    const story = run(twoStages());
    const { plan } = story.board;
    const whole = run(twoStages({ serving: { rule: "fixed" } })).board.plan;
    assert.ok(plan && whole && plan.cores < whole.cores, `${plan?.cores}, ${whole?.cores}`);
    const given = story.boards.findLast(board => board.given !== null)?.given;
    assert.equal(given?.demandRps, DEMAND_RPS);
  });

  it("plans once in an interval, though the demand is above what is planned for", () => {
    const story = run(twoStages());
    const { decisions } = story.state;
    story.run(30, 16, told => {
      told.input = { forecast: spread(told) };
    });
    assert.equal(story.state.decisions - decisions, 3);
  });

  it("holds what was expected within the hold window", () => {
    const story = run(twoStages());
    const doubled = { rateRps: RATES.ratesRps.map(rate => 2 * rate) };
    const replicas = (): number => story.board.stages.reduce((sum, { replicasGoal }) => sum + replicasGoal, 0);
    const before = replicas();
    story.run(30, 16, told => {
      told.input = { forecast: spread(told, doubled) };
    });
    const raised = replicas();
    assert.ok(raised > before, `${raised}, ${before}`);
    story.run(15, 16, told => {
      told.input = { forecast: spread(told) };
    });
    assert.equal(replicas(), raised);
  });
});
