import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { replicaRps, stageRates } from "../../control/capacity.ts";
import { findStage } from "../../domain/pipeline.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

const pipeline = twoStages();
const detect = findStage(pipeline, "detect")!;
const read = findStage(pipeline, "read")!;

describe("replicaRps()", () => {
  it("is what was profiled, corrected by what is measured", () => {
    assert.equal(replicaRps(detect, "middle", 1, 1), 40);
    assert.equal(replicaRps(detect, "middle", 1, 2), 20);
    assert.equal(replicaRps(detect, "ghost", 1, 1), 0);
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
