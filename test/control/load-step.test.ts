import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { planningHorizonMs } from "../../control/planning.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { type Ladder, pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const SETTLED_AFTER_SECONDS = 300;
const WATCHED_SECONDS = 120;
const SEEDS = [101, 102, 103, 104];

/** One replica: 6.7 rps of the heaviest variant, which is best up to 4.5. Only lighter variants can serve more. */
function ladder() {
  const variants: Ladder = {
    heavy: [150, 0.97],
    big: [110, 0.955],
    middle: [80, 0.94],
    small: [50, 0.91],
    light: [25, 0.85],
  };
  return pipelineFixture([{ name: "classify", ladder: variants, replicas: { min: 1, max: 1 } }], {
    slo: { latencyMs: 1000, quantile: 0.95 },
  });
}

/** Where replicas may serve lighter variants, they do so without another plan. */
function serveFixed(): Pipeline {
  return { ...ladder(), serving: { ...ladder().serving, rule: "fixed" } };
}

/** Seconds from when a Poisson load begins to rise until other variants are planned, with the real forecaster. */
function secondsToPlan(fromRps: number, toRps: number, rampSeconds: number, seed: number): number {
  const pipeline = serveFixed();
  const random = seededRandom(seed);
  const forecaster = new LoadForecaster();
  const story = new Story(pipeline);
  let before: string | undefined;
  for (let second = 0; second < SETTLED_AFTER_SECONDS + rampSeconds + WATCHED_SECONDS; second++) {
    const since = second - SETTLED_AFTER_SECONDS;
    const share = since < 0 ? 0 : since >= rampSeconds ? 1 : since / rampSeconds;
    const rateRps = fromRps + share * (toRps - fromRps);
    const load = { atMs: story.nowMs + 1000, rateRps: poissonCount(random, rateRps) };
    forecaster.observe(load);
    const forecast = forecaster.forecast(load.atMs, planningHorizonMs(story.state, pipeline));
    story.input = { forecast, load };
    story.run(1, rateRps);
    if (since < 0) before = story.goal("classify");
    else if (story.goal("classify") !== before) return since;
  }
  return Number.POSITIVE_INFINITY;
}

describe("tick() with the forecaster when a load rises from a steady level", () => {
  // What it took, by seed, before anything was known of steady loads.
  for (const { fromRps, toRps, rampSeconds, before } of [
    { fromRps: 3, toRps: 5, rampSeconds: 0, before: [8, 5, 7, 9] },
    { fromRps: 3, toRps: 6, rampSeconds: 0, before: [5, 2, 6, 5] },
    { fromRps: 3, toRps: 8, rampSeconds: 0, before: [1, 1, 5, 1] },
    { fromRps: 3, toRps: 12, rampSeconds: 0, before: [0, 0, 1, 0] },
    { fromRps: 7, toRps: 14, rampSeconds: 0, before: [5, 3, 2, 2] },
    { fromRps: 3, toRps: 8, rampSeconds: 60, before: [36, 17, 8, 34] },
    { fromRps: 3, toRps: 8, rampSeconds: 300, before: [95, 17, 86, 42] },
  ]) {
    it(`plans other variants as soon for ${toRps} rps after ${fromRps}${rampSeconds > 0 ? `, in ${rampSeconds} s` : ""}`, () => {
      const seconds = SEEDS.map(seed => secondsToPlan(fromRps, toRps, rampSeconds, seed));
      assert.ok(
        seconds.every((one, i) => one <= (before[i] ?? 0)),
        `${seconds}, before ${before}`,
      );
    });
  }
});

/** Seconds after a minute at 8 rps until the variant of 2 rps, before and after it, is planned again. */
function secondsToReturn(rule: "fixed" | "ladder", seed: number): number {
  const pipeline = rule === "fixed" ? serveFixed() : ladder();
  const random = seededRandom(seed);
  const forecaster = new LoadForecaster();
  const story = new Story(pipeline);
  let before: string | undefined;
  for (let second = 0; second < SETTLED_AFTER_SECONDS + 60 + 600; second++) {
    const since = second - SETTLED_AFTER_SECONDS;
    const rateRps = since >= 0 && since < 60 ? 8 : 2;
    const load = { atMs: story.nowMs + 1000, rateRps: poissonCount(random, rateRps) };
    forecaster.observe(load);
    const forecast = forecaster.forecast(load.atMs, planningHorizonMs(story.state, pipeline));
    // On a shared machine plans are for one rate, and variants for the load as it is.
    story.input = { forecast, load, limits: { cores: null, machineCores: 64 } };
    story.run(1, rateRps);
    if (since < 0) before = story.goal("classify");
    else if (since === 59) assert.notEqual(story.goal("classify"), before);
    else if (since >= 60 && story.goal("classify") === before) return since - 60;
  }
  return Number.POSITIVE_INFINITY;
}

describe("tick() with the forecaster after a peak", () => {
  it("plans the variants of before as soon as the hold window allows, where lighter ones may serve", () => {
    const { scaleDownMs, intervalMs } = ladder();
    const mostSeconds = (scaleDownMs + 2 * intervalMs) / 1000;
    for (const seed of SEEDS) {
      const [fixed, free] = [secondsToReturn("fixed", seed), secondsToReturn("ladder", seed)];
      assert.ok(free <= mostSeconds && free <= fixed, `seed ${seed}: ${free} s, ${fixed} s with fixed variants`);
    }
  });
});
