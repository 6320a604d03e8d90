import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { findAssignmentProblem, MAX_RUNGS } from "../../../domain/assignment.ts";
import { findVariant, type Pipeline } from "../../../domain/pipeline.ts";
import { serviceMs } from "../../../domain/profile.ts";
import { chooseRungs, serveAlone } from "../../../optimizer/mix/rungs.ts";
import { pipelineOf, type VariantShape } from "../problems.ts";

/** A variant whose row takes so long, in batches of any size. */
function variant(name: string, rowMs: number, accuracy: number | null, batches = [1, 2, 4, 8]): VariantShape {
  return { name, accuracy, latencyMs: Object.fromEntries(batches.map(batch => [batch, rowMs * batch])) };
}

function pipeline(variants: readonly VariantShape[], more: Partial<Parameters<typeof pipelineOf>[0]> = {}): Pipeline {
  return pipelineOf({ stages: [{ name: "s", variants }], ...more });
}

interface Asked {
  readonly batch?: number;
  readonly excluded?: readonly string[];
  readonly planned?: Readonly<Record<string, string>>;
}

function findRungs(given: Pipeline, top: string, { batch = 1, excluded = [], planned = {} }: Asked = {}) {
  return chooseRungs(given, given.stages[0]!, { variant: top, batch }, { excluded, planned });
}

const names = (rungs: ReturnType<typeof findRungs>): string => rungs.rungs.map(rung => rung.variant).join(" ");

describe("chooseRungs()", () => {
  const four = [variant("a", 1, 0.6), variant("b", 4, 0.8), variant("c", 9, 0.9), variant("d", 20, 0.95)];

  it("has the planned variant as top, those above it in memory, and the lightest as floor", () => {
    const rungs = findRungs(pipeline(four), "c");
    assert.deepEqual([names(rungs), rungs.top, rungs.floor], ["d c b a", "c", "a"]);
  });

  it("gives the top the planned batch, and others the largest measured one that takes no longer", () => {
    const { rungs } = findRungs(pipeline(four), "c", { batch: 2 });
    // 18 ms: one of 20 ms is too long, and is possible all the same; 4 × 4 = 16 ms; 8 × 1.
    assert.deepEqual(
      rungs.map(({ maxBatch }) => maxBatch),
      [1, 2, 4, 8],
    );
    // A batch that was not measured is still the planned one.
    assert.equal(findRungs(pipeline(four), "c", { batch: 3 }).rungs[1]?.maxBatch, 3);
  });

  it("leaves out what is under the hull, what is slower and no better, and what may not be used", () => {
    const under = [...four, variant("under", 8, 0.81), variant("slow", 12, 0.9), variant("none", 2, 0.9)];
    const unmeasured: VariantShape = { name: "new", accuracy: 0.99, latencyMs: null };
    assert.equal(names(findRungs(pipeline([...under, unmeasured]), "c", { excluded: ["none"] })), "d c b a");
    assert.equal(names(findRungs(pipeline(four), "c", { excluded: ["a", "d"] })), "c b");
  });

  it("keeps a planned variant that is under the hull, below those that take longer", () => {
    const rungs = findRungs(pipeline([...four, variant("under", 8, 0.7)]), "under");
    assert.deepEqual([names(rungs), rungs.top, rungs.floor], ["d c under b a", "under", "a"]);
    const slowest = findRungs(pipeline([variant("best", 1, 0.9), variant("worst", 2, 0.5)]), "worst");
    assert.deepEqual([names(slowest), slowest.floor], ["worst best", "best"]);
  });

  it("keeps the top, the lightest and those next to the top where there are too many", () => {
    const many = Array.from({ length: 9 }, (_, i) => variant(`v${i}`, i + 1, 0.9 - 0.5 / (i + 1)));
    assert.equal(names(findRungs(pipeline(many), "v4")), "v5 v4 v3 v2 v0");
    assert.equal(names(findRungs(pipeline(many), "v8")), "v8 v7 v6 v5 v0");
    assert.equal(names(findRungs(pipeline(many), "v0")), "v4 v3 v2 v1 v0");
  });

  it("goes by the accuracy of the whole pipeline, beside what the plan has of the other stages", () => {
    const combinations = [
      ["a", "x", 0.9],
      ["b", "x", 0.8],
      ["a", "y", 0.6],
      ["b", "y", 0.8],
    ].map(([s, t, accuracy]) => ({ variants: { s, t }, accuracy, items: 100, right: 100 * Number(accuracy) }));
    const given = pipelineOf({
      stages: [
        { name: "s", variants: four.slice(0, 2) },
        { name: "t", variants: [variant("x", 1, null), variant("y", 1, null)] },
      ],
      combinations: combinations as never,
    });
    // With `x` the lighter one is the better one, too.
    assert.equal(names(findRungs(given, "a", { planned: { s: "a", t: "x" } })), "a");
    assert.equal(names(findRungs(given, "a", { planned: { s: "a", t: "y" } })), "b a");
  });

  it("goes by time alone where an accuracy is not known", () => {
    const unknown = [variant("a", 1, 0.9), variant("b", 4, null), variant("c", 9, 0.2)];
    assert.equal(names(findRungs(pipeline(unknown), "b")), "c b a");
  });

  it("has no rung below the floor that the pipeline file names", () => {
    const serving = { floor: { s: "b" } };
    const rungs = findRungs(pipeline(four, { serving }), "c");
    assert.deepEqual([names(rungs), rungs.floor], ["d c b", "b"]);
    const missing = findRungs(pipeline(four, { serving }), "d", { excluded: ["b"] });
    assert.equal(missing.floor, "c");
    const above = findRungs(pipeline(four, { serving }), "a");
    assert.deepEqual([names(above), above.floor], ["d c b a", "a"], "the plan went below it");
  });

  it("serves a planned variant that was not measured alone", () => {
    const given = pipeline([...four, { name: "new", latencyMs: null }]);
    assert.deepEqual(findRungs(given, "new", { batch: 3 }), serveAlone({ variant: "new", batch: 3 }));
  });

  it("is right for whatever was measured", () => {
    const shapes = fc.array(
      fc.record({
        accuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        firstMs: fc.double({ min: 0.01, max: 100, noNaN: true }),
        rowMs: fc.double({ min: 0.001, max: 50, noNaN: true }),
        batches: fc.uniqueArray(fc.constantFrom(1, 2, 4, 8, 16), { minLength: 1 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 16 }), fc.nat(), (measured, topAt, batch, leftOut) => {
        const variants = measured.map(({ accuracy, firstMs, rowMs, batches }, i) => ({
          name: `v${i}`,
          accuracy,
          latencyMs: Object.fromEntries(batches.map(rows => [rows, firstMs + rowMs * (rows - 1)])),
        }));
        const given = pipeline(variants);
        const [stage] = given.stages;
        const top = `v${topAt % variants.length}`;
        const excluded = [`v${leftOut % variants.length}`].filter(name => name !== top);
        const found = findRungs(given, top, { batch, excluded });
        const budgets = { budgetMs: 1, laterBudgetMs: 0, laterLeastMs: 0, headroom: 0.75, shadow: false };
        const version = { epoch: 1, counter: 1 };
        assert.equal(findAssignmentProblem({ ...found, ...budgets, version, belowFloor: [], decisionId: "" }), null);
        assert.ok(found.rungs.length <= MAX_RUNGS);
        assert.equal(found.top, top);
        assert.equal(found.floor, found.rungs.at(-1)?.variant, "the floor is the last");
        assert.ok(found.rungs.every(rung => !excluded.includes(rung.variant)));
        const findProfile = (name: string) => findVariant(stage!, name)!.profile!;
        const longestMs = serviceMs(findProfile(top), batch);
        for (const { variant: name, maxBatch } of found.rungs) {
          const sizes = findProfile(name).points.map(point => point.batch);
          if (name === top) assert.equal(maxBatch, batch);
          else {
            assert.ok(maxBatch === 1 || serviceMs(findProfile(name), maxBatch) <= longestMs);
            const next = sizes.filter(size => size > maxBatch).map(size => serviceMs(findProfile(name), size));
            assert.ok(
              next.every(ms => ms > longestMs),
              `${name} could take more than ${maxBatch}`,
            );
          }
        }
      }),
    );
  });
});
