import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { problemFor } from "../../cli/plan/plan-request.ts";
import { enoughMiB, findUnfit, sayUnfit } from "../../domain/memory-fit.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { Story } from "../control/story.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

const FREE = { rps: 2, pin: [], exclude: [], vote: [], split: [] };

/** The fixture with memory of `read`, and sizes of the sessions of its variants. */
function withSizes(memoryMiB: number, sizes: Readonly<Record<string, number>>): Pipeline {
  const pipeline = twoStages();
  const stages = pipeline.stages.map(stage => {
    if (stage.name !== "read") return stage;
    const variants = stage.variants.map(variant => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, memoryMiB: sizes[variant.name] ?? 20 },
    }));
    return { ...stage, memoryMiB, variants };
  });
  return { ...pipeline, stages };
}

describe("memory of a stage's pods", () => {
  const stage = (memoryMiB: number, ...sizes: (number | null)[]) => ({
    name: "digit",
    memoryMiB,
    defaultVariant: "v0",
    variants: sizes.map((sessionMiB, i) => ({ name: `v${i}`, sessionMiB })),
  });

  it("must hold any two variants beside the switcher, and leaves out the largest until it does", () => {
    const [first, ...others] = findUnfit(stage(256, 24, 625, 117));
    assert.deepEqual([first?.variant, others.length], ["v1", 0]);
    assert.match(
      first?.message ?? "",
      /^digit\/v1 does not fit .* takes 625 MiB, and v2, .* 117 MiB, .* stage digit is 256\. Set `memoryMiB: 832`, or remove/,
    );
    assert.deepEqual(findUnfit(stage(832, 24, 625, 117)), []);
    assert.equal(enoughMiB(stage(1, 24, 625, 117)), 832);
  });

  it("keeps the default variant that fits alone, leaves out what doesn't fit beside it, and then pairs of the others", () => {
    const findNames = (memoryMiB: number, ...sizes: number[]) =>
      findUnfit(stage(memoryMiB, ...sizes)).map(({ variant }) => variant);
    assert.deepEqual(findNames(256, 150, 60), ["v1"]);
    assert.deepEqual(findNames(256, 150, 60, 40), ["v1"]);
    assert.deepEqual(findNames(256, 50, 140, 100), ["v1"]);
    assert.deepEqual(findNames(256, 300, 60), ["v0"]);
    const [light] = findUnfit(stage(256, 150, 60));
    assert.match(light?.message ?? "", /takes 60 MiB, and v0, which may serve .* 150 MiB, .* Set `memoryMiB: 320`/);
  });

  it("ends a start only where no variant fits alone", () => {
    const said: string[] = [];
    sayUnfit(withSizes(256, { heavy: 300 }), line => said.push(line));
    assert.match(said.join(), /^read\/heavy does not fit/);
    assert.throws(
      () => sayUnfit(withSizes(70, { heavy: 300, middle: 300, light: 300 }), () => {}),
      /no variant of stage read fits into memory, .*read\/light does not fit/,
    );
  });

  it("leaves out all where none fits, and none that was not measured", () => {
    assert.equal(findUnfit(stage(60, 24, 30)).length, 2);
    assert.deepEqual(findUnfit(stage(60, null, null)), []);
    assert.deepEqual(findUnfit(stage(128, 60, null)), []);
  });
});

describe("plans and memory", () => {
  it("leave out variants that don't fit, and are not feasible where none fits", () => {
    const plan = optimize(problemFor(withSizes(256, { heavy: 300 }), FREE));
    assert.deepEqual([plan.feasible, plan.stages[1]?.parts[0]?.variant], [true, "middle"]);
    assert.equal(optimize(problemFor(withSizes(1024, { heavy: 300 }), FREE)).stages[1]?.parts[0]?.variant, "heavy");
    const none = withSizes(70, { heavy: 300, middle: 300, light: 300 });
    assert.equal(optimize(problemFor(none, FREE)).feasible, false);
  });

  it("are feasible with a default variant that fits alone", () => {
    const alone = withSizes(256, { heavy: 150, middle: 60, light: 60 });
    const plan = optimize(problemFor(alone, FREE));
    assert.deepEqual([plan.feasible, plan.stages[1]?.parts[0]?.variant], [true, "heavy"]);
  });

  it("refuse a pin of a variant that does not fit, with the sizes", () => {
    assert.throws(
      () => problemFor(withSizes(256, { heavy: 300 }), { ...FREE, pin: ["read=heavy"] }),
      /--pin read=heavy: read\/heavy does not fit .*300 MiB.*Set `memoryMiB: 384`/,
    );
  });

  it("of the control loop leave them out too, and a condition says so", () => {
    const story = new Story(withSizes(256, { heavy: 300 })).run(5, 2);
    assert.equal(story.goal("read"), "middle");
    const condition = story.condition("VariantsFit");
    assert.deepEqual([condition?.status, condition?.reason], [false, "MemoryShort"]);
    assert.match(condition?.message ?? "", /read\/heavy does not fit into memory/);
    assert.doesNotMatch(condition?.message ?? "", /pin/);
    story.input = { pins: [{ stage: "read", variant: "heavy", batch: null, replicas: null }] };
    assert.match(story.run(1, 2).condition("VariantsFit")?.message ?? "", /Its pin is not followed\.$/);
    assert.equal(new Story(twoStages()).run(5, 2).condition("VariantsFit"), undefined);
  });
});
