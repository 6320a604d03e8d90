import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { explainMemoryShort, findTooLarge } from "../../domain/variant-memory.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

describe("explainMemoryShort()", () => {
  const [stage] = pipelineFixture([{ name: "digit", ladder: { heavy: [8, 0.9] } }]).stages;
  const explain = (memoryMiB: number, neededMiB: number) => {
    const [variant] = stage?.variants ?? [];
    assert.ok(stage && variant?.profile);
    return explainMemoryShort(
      { ...stage, memoryMiB },
      { ...variant, profile: { ...variant.profile, memoryMiB: neededMiB } },
    );
  };

  it("names what a variant needs and what there is, where it can't fit", () => {
    assert.match(
      explain(256, 625) ?? "",
      /^heavy needs about 625 MiB beside the 60 MiB of the switcher; .* memoryMiB 256\./,
    );
    assert.match(explain(256, 197) ?? "", /^heavy needs about 197/);
    assert.equal(explain(256, 196), null);
  });
});

describe("findTooLarge()", () => {
  const pipeline = pipelineFixture([{ name: "digit", ladder: { heavy: [8, 0.9], light: [2, 0.8] } }]);
  const [stage] = pipeline.stages;
  const grow = (large: string) => {
    const variants = stage?.variants.map(variant => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, memoryMiB: variant.name === large ? 5000 : 10 },
    }));
    return { ...pipeline, stages: [{ ...stage!, variants: variants ?? [] }] };
  };

  it("names variants that can't be served, and refuses a default variant", () => {
    const [other] = stage?.variants.filter(({ name }) => name !== stage.defaultVariant) ?? [];
    assert.match(findTooLarge(grow(other!.name))[0] ?? "", /^stage digit: .* needs about 5000 MiB/);
    assert.throws(() => findTooLarge(grow(stage!.defaultVariant)), /is the default variant: no replica could start/);
    assert.deepEqual(findTooLarge(grow("none")), []);
  });
});
