import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { plannedRps } from "../../agent/situation.ts";
import { UNTUNED } from "../../control/tuning.ts";
import { certain, Story } from "../control/story.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

describe("plannedRps()", () => {
  it("is the demand that the control loop plans for with a tuning, and chooses from without one", () => {
    for (const forecastQuantile of [null, 0.5, 0.9, 0.99])
      for (const reactiveRps of [8, 12, 13, 25]) {
        const story = new Story(twoStages());
        const tuning = { ...UNTUNED, forecastQuantile };
        const forecast = {
          ...certain(10, story.nowMs),
          intensityRps: [10, 14, 18, 22],
          peakRps: [10, 14, 18, 22],
          reactiveRps,
        } as const;
        story.input = { tuning, forecast };
        story.run(1, 10);
        assert.equal(story.state.demandRps, plannedRps(forecast, tuning), `${forecastQuantile} of ${reactiveRps} rps`);
      }
  });
});
