import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { planningHorizonMs } from "../../control/planning.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const LIMITS = { cores: null, machineCores: 2 };
const SETTLED_AFTER_SECONDS = 300;
const SECONDS = 1800;

/** Two cores serve 5.9 rps with the heavy variants: replicas can't help, only lighter variants can. */
function card(): Pipeline {
  return pipelineFixture(
    [
      { name: "detect", ladder: { light: [9, 0.86], middle: [14, 0.93], heavy: [67, 0.98] } },
      { name: "read", ladder: { light: [0.8, 0.9], heavy: [16, 0.97] }, fanOut: 11 },
    ],
    { slo: { latencyMs: 600, quantile: 0.95 } },
  );
}

/** Half an hour of Poisson arrivals at a constant rate, forecast by the real forecaster, after five minutes to settle. */
function steady(pipeline: Pipeline, rateRps: number, seed: number) {
  const variantsOf = (stages: readonly { parts: readonly { variant: string }[] }[]) =>
    stages.map(stage => stage.parts[0]?.variant).join("+");
  const perfect = optimize({
    pipeline,
    rateRps,
    current: null,
    corrections: {},
    excluded: {},
    pins: [],
    limits: LIMITS,
    bounds: {},
  });
  const random = seededRandom(seed);
  const forecaster = new LoadForecaster();
  const story = new Story(pipeline);
  let changes = 0;
  let rightSeconds = 0;
  let before = "";
  for (let second = 0; second < SETTLED_AFTER_SECONDS + SECONDS; second++) {
    const load = { atMs: story.nowMs + 1000, rateRps: poissonCount(random, rateRps) };
    forecaster.observe(load);
    const forecast = forecaster.forecast(load.atMs, planningHorizonMs(story.state, pipeline));
    story.input = { forecast, load, limits: LIMITS };
    story.run(1, rateRps);
    const variants = variantsOf(story.board.plan?.stages ?? []);
    if (second >= SETTLED_AFTER_SECONDS) {
      if (variants !== before) changes += 1;
      if (variants === variantsOf(perfect.stages)) rightSeconds += 1;
    }
    before = variants;
  }
  return { perfect: variantsOf(perfect.stages), changes, rightShare: rightSeconds / SECONDS };
}

describe("tick() with the forecaster at a constant rate", () => {
  for (const { rateRps, perfect, mostChanges } of [
    { rateRps: 1.2, perfect: "heavy+heavy", mostChanges: 0 },
    { rateRps: 2, perfect: "heavy+heavy", mostChanges: 0 },
    { rateRps: 3.5, perfect: "heavy+heavy", mostChanges: 0 },
    { rateRps: 4.5, perfect: "heavy+heavy", mostChanges: 0 },
    { rateRps: 8, perfect: "heavy+light", mostChanges: 2 },
  ]) {
    it(`chooses what is best at ${rateRps} rps, and stays with it`, () => {
      for (const seed of [1, 2, 3]) {
        const played = steady(card(), rateRps, seed);
        assert.equal(played.perfect, perfect);
        assert.ok(played.changes <= mostChanges, `seed ${seed}: ${played.changes} changes of variants`);
        assert.ok(played.rightShare >= 0.9, `seed ${seed}: right for ${played.rightShare} of the time`);
      }
    });
  }
});
