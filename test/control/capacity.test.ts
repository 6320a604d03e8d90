import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { batchMs, lightestVariant, replicaRps, servedVariant, stageRates } from "../../control/capacity.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import { findStage } from "../../domain/pipeline.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const pipeline = twoStages();
const detect = findStage(pipeline, "detect")!;
const read = findStage(pipeline, "read")!;

describe("replicaRps() and batchMs()", () => {
  it("are what was profiled, corrected by what is measured", () => {
    assert.equal(replicaRps(detect, "middle", 1, 1), 40);
    assert.equal(replicaRps(detect, "middle", 1, 2), 20);
    assert.equal(batchMs(detect, "middle", 2, 1.5), 75);
    assert.deepEqual([replicaRps(detect, "ghost", 1, 1), batchMs(detect, "ghost", 1, 1)], [0, 0]);
  });
});

describe("lightestVariant()", () => {
  it("serves the most rows, without those that may not be used", () => {
    assert.equal(lightestVariant(detect, []), "light");
    assert.equal(lightestVariant(detect, ["light"]), "middle");
    assert.equal(lightestVariant(detect, ["light", "middle", "heavy"]), "heavy", "the default one");
    const unmeasured = { ...detect, variants: detect.variants.map(variant => ({ ...variant, profile: null })) };
    assert.equal(lightestVariant(unmeasured, []), "heavy");
  });
});

describe("stageRates()", () => {
  it("multiplies the fan-outs along the chain, by what the upstream stage serves", () => {
    const byVariant = { ...read, fanOut: { default: 4, byUpstreamVariant: { light: 3 } } };
    const doubled = { ...detect, fanOut: { default: 2, byUpstreamVariant: {} } };
    const chain = { ...pipeline, stages: [doubled, byVariant] };
    assert.deepEqual(
      stageRates(chain, 5, () => null),
      { detect: 10, read: 40 },
    );
    assert.deepEqual(
      stageRates(chain, 5, () => "light"),
      { detect: 10, read: 30 },
    );
  });
});

describe("servedVariant()", () => {
  it("is what most of the ready switchers serve, else what is configured", () => {
    const [view] = new Story(pipeline).views("detect");
    const served = (...variants: string[]) =>
      variants.map((variant): SwitcherView => ({ ...view!, variant, ready: !variant.startsWith("-") }));
    const configured = { parts: [{ variant: "heavy", batch: 1, replicas: 1, share: 1 }] };
    assert.equal(servedVariant(served("light", "middle", "middle"), configured), "middle");
    assert.equal(servedVariant(served("middle", "middle", "light"), configured), "middle");
    assert.equal(servedVariant(served("light", "middle"), configured), "light", "the first of equals");
    assert.equal(servedVariant(served("-light"), configured), "heavy");
    assert.equal(servedVariant([], undefined), null);
  });
});
