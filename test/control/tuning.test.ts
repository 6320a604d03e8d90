import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type Tuning, UNTUNED } from "../../control/tuning.ts";
import { mainPart } from "../../domain/configuration.ts";
import { type Forecast, RATE_QUANTILES } from "../../domain/load.ts";
import { findStage } from "../../domain/pipeline.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

function tuned(change: Partial<Tuning>, rateRps = 20, more: Partial<Story["input"]> = {}): Story {
  const story = new Story(twoStages());
  story.input = { tuning: { ...UNTUNED, ...change }, ...more };
  return story.run(31, rateRps);
}

describe("a tuning of the control loop", () => {
  it("has its weights decide in the place of the file's, and is said", () => {
    const weights = { accuracy: 1, cost: 0.5, batch: 1e-6, switch: 0.002 };
    const [dear, file] = [tuned({ weights }), tuned({})];
    assert.ok((dear.board.plan?.cores ?? 0) < (file.board.plan?.cores ?? 0));
    assert.equal(dear.board.plan?.feasible, true);
    assert.ok(dear.board.reasons.includes("tuned"));
    assert.ok(!file.board.reasons.includes("tuned"));
    assert.deepEqual(dear.boards.findLast(({ given }) => given !== null)?.given?.weights, weights);
    assert.equal(file.boards.findLast(({ given }) => given !== null)?.given?.weights, undefined);
  });

  it("plans for its quantile of the forecast, and for the load as it is where that is well above", () => {
    const at = (forecastQuantile: number | null, reactiveRps: number) => {
      const forecast = (nowMs: number): Forecast => ({
        atMs: nowMs,
        horizonMs: 25_000,
        peakRps: [10, 20, 30, 40],
        intensityRps: [10, 20, 30, 40],
        rateRps: RATE_QUANTILES.map(() => 10),
        reactiveRps,
        leader: "test",
      });
      const story = new Story(twoStages());
      story.input = { tuning: { ...UNTUNED, forecastQuantile } };
      story.run(12, 20, ({ nowMs }) => {
        story.input = { ...story.input, forecast: forecast(nowMs) };
      });
      return story.run(40, 20, ({ nowMs }) => {
        story.input = { ...story.input, forecast: forecast(nowMs) };
      }).state;
    };
    const demands = [at(null, 5), at(0.99, 5), at(0.9, 5), at(0.5, 5), at(0.5, 25)];
    assert.deepEqual(
      demands.map(({ demandRps }) => demandRps),
      [30, 40, 20, 10, 25],
    );
    // A quantile that is tuned is planned for, and what is expected where none is.
    assert.deepEqual(
      demands.map(({ planReasons }) => planReasons.includes("expected")),
      [true, false, false, false, false],
    );
  });

  it("takes what ten seconds have above a lower quantile than is usual for chance, up to two deviations of a Poisson count", () => {
    const plannedFor = (forecastQuantile: number | null, rateRps: number, reactiveRps: number, riseRps = 0) => {
      const story = new Story(twoStages());
      story.input = {
        tuning: { ...UNTUNED, forecastQuantile },
        forecast: { ...certain(rateRps, story.nowMs), reactiveRps, riseRps },
      };
      const { plan, reasons } = story.run(1, rateRps).board;
      return [plan?.rateRps, reasons.includes("floor_reactive")];
    };
    assert.deepEqual(plannedFor(0.5, 10, 12), [10, false]);
    assert.deepEqual(plannedFor(0.5, 10, 13), [13, true]);
    // Chance is 9 % of 50 rps, and 30 % of 5.
    assert.deepEqual(plannedFor(0.9, 5, 6.4), [5, false]);
    assert.deepEqual(plannedFor(0.9, 5, 6.6), [6.6, true]);
    assert.deepEqual(plannedFor(0.9, 50, 54), [50, false]);
    assert.deepEqual(plannedFor(0.9, 50, 55), [55, true]);
    assert.deepEqual(plannedFor(0.5, 0, 0.2), [0.2, true]);
    // What rises is not chance.
    assert.deepEqual(plannedFor(0.5, 10, 12, 5), [12, true]);
    for (const usual of [null, 0.95, 0.99]) assert.deepEqual(plannedFor(usual, 10, 10.1), [10.1, true]);
  });

  it("keeps the current variants while a switch gains less than its weight", () => {
    const servedAt2 = (weight: number | null) => {
      const story = new Story(twoStages()).run(60, 250);
      const { weights } = story.pipeline.objective;
      story.input = { tuning: { ...UNTUNED, weights: weight === null ? null : { ...weights, switch: weight } } };
      const before = [story.goal("detect"), story.goal("read")];
      story.run(120, 2);
      return { before, after: [story.goal("detect"), story.goal("read")] };
    };
    const [usual, held] = [servedAt2(null), servedAt2(10)];
    assert.notDeepEqual(usual.after, usual.before);
    assert.deepEqual(held.after, held.before);
  });

  it("serves what it pins as long as that meets every constraint, and no longer", () => {
    const heavy = { stage: "read", variant: "heavy", batch: null, replicas: 2 };
    const story = tuned({ pins: [heavy] }, 10);
    const parts = (stage: string) => story.board.plan?.stages.find(other => other.stage === stage)?.parts ?? [];
    assert.deepEqual([mainPart({ parts: parts("read") })?.variant, parts("read")[0]?.replicas], ["heavy", 2]);
    assert.equal(story.board.plan?.feasible, true);
    story.run(60, 60);
    assert.equal(story.board.plan?.feasible, true);
    assert.notEqual(parts("read")[0]?.replicas, 2);
  });

  it("leaves a stage to its operator's pin", () => {
    const pin = { stage: "read", variant: "light", batch: null, replicas: null };
    const story = tuned({ pins: [{ ...pin, variant: null, replicas: 7 }] }, 10, { pins: [pin] });
    assert.deepEqual([story.goal("read"), story.goalReplicas("read")], ["light", 1]);
    assert.equal(tuned({ pins: [{ ...pin, variant: null, replicas: 7 }] }, 10).goalReplicas("read"), 7);
  });

  it("is not believed where it is nonsense", () => {
    const weights = { accuracy: Number.NaN, cost: 1, batch: 0, switch: 0 };
    const pins = [{ stage: "nowhere", variant: "nothing", batch: null, replicas: null }];
    const story = tuned({ weights, forecastQuantile: 7, pins });
    const plain = tuned({});
    assert.deepEqual(story.board.plan?.stages, plain.board.plan?.stages);
    assert.ok(findStage(story.pipeline, "read"));
  });
});
