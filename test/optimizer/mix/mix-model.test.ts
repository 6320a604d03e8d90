import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { accuracyOf } from "../../../optimizer/accuracy.ts";
import { MixModel } from "../../../optimizer/mix/mix-model.ts";
import { NumberedCombinations } from "../../../optimizer/mix/numbered-combinations.ts";
import { pipelineFixture, twoStages } from "../../support/pipeline-fixture.ts";
import { problemOf } from "../problems.ts";

const rates = (length: number) =>
  fc.array(fc.double({ min: 0.5, max: 600, noNaN: true }), { minLength: length, maxLength: length });
const top = fc.record({
  variant: fc.constantFrom("heavy", "middle", "light"),
  batch: fc.constantFrom(1, 2, 4),
  replicas: fc.integer({ min: 0, max: 6 }),
});
const ascending = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

describe("MixModel", () => {
  it("leaves out only plans that are less accurate than is asked for, and measures others as always", () => {
    const likely = fc.record({ ratesRps: rates(8).map(ascending), peaksRps: rates(4).map(ascending) });
    let leftOut = 0;
    fc.assert(
      fc.property(likely, fc.tuple(top, top), fc.double({ min: 0.5, max: 1, noNaN: true }), (given, tops, least) => {
        const model = new MixModel(problemOf(twoStages(), 60), given);
        const whole = model.measure(tops);
        const above = model.measureAbove(tops, least);
        if (above) assert.deepEqual(above, whole);
        else assert.ok(whole.accuracy < least + 1e-12, `${whole.accuracy}, ${least}`);
        if (!above) leftOut++;
        assert.ok(whole.accuracy >= least - 1e-12 || !above);
      }),
    );
    assert.ok(leftOut > 0);
  });

  it("gives the same however many plans it was asked for before", () => {
    const likely = { ratesRps: [5, 8, 12, 20, 40, 60, 80, 120], peaksRps: [30, 90, 120, 200] };
    const model = new MixModel(problemOf(twoStages(), 60), likely);
    fc.assert(
      fc.property(fc.tuple(top, top), tops => {
        assert.deepEqual(model.measure(tops), new MixModel(problemOf(twoStages(), 60), likely).measure(tops));
      }),
    );
  });
});

describe("NumberedCombinations", () => {
  /** A pipeline with so many stages, of so many variants each. */
  const createPipeline = (count: number, variants: number): Pipeline => {
    const ladder = Object.fromEntries(
      Array.from({ length: variants }, (_, at) => [`v${at}`, [10 * (at + 1), 0.99 - 0.001 * at] as const]),
    );
    return pipelineFixture(Array.from({ length: count }, (_, at) => ({ name: `s${at}`, ladder })));
  };

  for (const [count, variants, kind] of [
    [2, 3, "few"],
    [6, 9, "many"],
    [12, 30, "more than numbers can tell apart"],
  ] as const)
    it(`gives each of ${kind} combinations its own key, and the accuracy of its variants`, () => {
      const pipeline = createPipeline(count, variants);
      const model = accuracyOf(pipeline);
      const combinations = new NumberedCombinations(pipeline.stages, model);
      const numbers = fc.array(fc.integer({ min: 0, max: variants - 1 }), { minLength: count, maxLength: count });
      fc.assert(
        fc.property(numbers, numbers, (some, others) => {
          const isSame = some.join() === others.join();
          assert.equal(combinations.toKey(some) === combinations.toKey(others), isSame);
          const names = some.map(number => `v${number}`);
          assert.deepEqual(
            names.map((name, s) => combinations.readNumber(s, name)),
            some,
          );
          // Once as it is looked up, and once as it is known.
          for (let time = 0; time < 2; time++) assert.equal(combinations.readAccuracy(some), model.of(names));
        }),
      );
      assert.equal(combinations.readNumber(0, "another"), variants);
    });
});
