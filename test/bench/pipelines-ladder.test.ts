import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { laddersOf, rises, spanOf } from "../../bench/pipelines-ladder.ts";
import type { MeasurementsInput } from "../../domain/profile-schema.ts";

/** Of one stage: times at batch 1 and 2, and accuracy. */
function measured(ladder: Readonly<Record<string, readonly [number, number, number]>>): MeasurementsInput {
  const entries = Object.entries(ladder);
  return {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "PipelineMeasurements",
    machine: {},
    date: "2026-01-01T00:00:00.000Z",
    stages: {
      read: Object.fromEntries(
        entries.map(([name, [first, second]]) => {
          const points = [
            { batch: 1, latencyMs: first },
            { batch: 2, latencyMs: second },
          ];
          return [name, { cores: 1, points }];
        }),
      ),
    },
    accuracy: { stages: { read: Object.fromEntries(entries.map(([name, [, , accuracy]]) => [name, { accuracy }])) } },
  };
}

const ladderOf = (ladder: Parameters<typeof measured>[0]) => laddersOf(measured(ladder))[0]?.ladder ?? [];

describe("laddersOf()", () => {
  it("leaves out what another variant dominates, also of the span", () => {
    const ladder = ladderOf({ heavy: [40, 70, 0.9], waste: [90, 170, 0.9], light: [4, 7, 0.7], middle: [10, 18, 0.8] });
    assert.deepEqual(
      ladder.map(({ name }) => name),
      ["light", "middle", "heavy"],
    );
    assert.equal(spanOf(ladder), 10);
    assert.equal(rises(ladder), true);
  });

  it("does not rise where a slower variant is right less often: larger batches alone speak for it", () => {
    assert.equal(rises(ladderOf({ light: [4, 7, 0.7], middle: [5, 6, 0.6], heavy: [40, 70, 0.9] })), false);
  });

  it("does not rise where no accuracy is known", () => {
    const { accuracy: _accuracy, ...blind } = measured({ light: [4, 7, 0.7] });
    assert.equal(rises(laddersOf(blind)[0]?.ladder ?? []), false);
  });
});
