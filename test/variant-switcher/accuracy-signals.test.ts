import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type AccuracyConfig, AccuracySignals } from "../../variant-switcher/accuracy-signals.ts";
import { SequenceClasses } from "../../variant-switcher/sequence-classes.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

const CONFIG: AccuracyConfig = {
  output: "y",
  confidence: "max",
  thresholds: { a: 0.7 },
  range: { min: 0, max: 1 },
  rowLength: 2,
  classes: true,
};

function output(rows: readonly (readonly number[])[]) {
  const bytes = new Uint8Array(new Float32Array(rows.flat()).buffer);
  return [{ name: "y", datatype: "FP32", shape: [rows.length, rows[0]?.length ?? 0], bytes }] as const;
}

describe("AccuracySignals", () => {
  it("counts rows by confidence, those above the variant's threshold, and failed assertions", () => {
    const told: [string, number][] = [];
    const signals = new AccuracySignals(CONFIG, (...one) => told.push(one));
    signals.observe(
      [{ variant: "a", rows: 3 }],
      output([
        [0.25, 0.75],
        [0.5, 0.5],
        [2, -1],
      ]),
      null,
    );
    signals.observe([{ variant: "b", rows: 1 }], output([[0.05, 0.01]]), null);
    signals.observe([{ variant: "b", rows: 1 }], output([[1, 0, 0]]), null);
    const a = signals.of("a");
    assert.deepEqual([a.above, a.held], [2, 3]);
    assert.deepEqual(a.failed, { range: 1, shape: 0, flicker: 0, class_change: 0 });
    const b = signals.of("b");
    assert.deepEqual([b.held, b.failed.shape], [0, 1]);
    assert.deepEqual(told, [
      ["a", 0.75],
      ["a", 0.5],
      ["a", 2],
      ["b", Math.fround(0.05)],
      ["b", 1],
    ]);
  });

  it("counts each row for the rung that served it", () => {
    const told: [string, number][] = [];
    const signals = new AccuracySignals({ ...CONFIG, thresholds: { heavy: 0.9, light: 0.5 } }, (...one) =>
      told.push(one),
    );
    const rows = [
      [0, 0.625],
      [0, 0.625],
      [0, 0.625],
      [0, 7],
    ];
    const shares = [
      { variant: "heavy", rows: 1 },
      { variant: "light", rows: 3 },
    ];
    signals.observe(shares, output(rows), null);
    const [heavy, light] = [signals.of("heavy"), signals.of("light")];
    // A confidence that the heavy one is wrong with is one that the light one is right with.
    assert.deepEqual([heavy.above, heavy.held, light.above, light.held], [0, 1, 3, 3]);
    assert.deepEqual([heavy.failed.range, light.failed.range], [0, 1]);
    assert.deepEqual(
      told.map(([variant]) => variant),
      ["heavy", "light", "light", "light"],
    );
  });

  it("takes the mean, or the largest of the softmax", () => {
    const confidence = (kind: "mean" | "softmax", row: readonly number[]) => {
      const signals = new AccuracySignals({ ...CONFIG, confidence: kind, thresholds: { v: 0.6 } });
      signals.observe([{ variant: "v", rows: 1 }], output([row]), null);
      return signals.of("v").above === 1;
    };
    assert.equal(confidence("mean", [1, 0.3]), true);
    assert.equal(confidence("mean", [1, 0.1]), false);
    assert.equal(confidence("softmax", [1000, 999]), true);
    assert.equal(confidence("softmax", [3, 3]), false);
  });

  it("tells the confidence of each row once at most, whatever the numbers are", () => {
    const rows = fc.array(fc.array(fc.float(), { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(rows, fc.constantFrom("max", "mean", "softmax"), (list, confidence) => {
        let counted = 0;
        const signals = new AccuracySignals({ ...CONFIG, confidence }, () => counted++);
        signals.observe([{ variant: "a", rows: list.length }], output(list), "1");
        const { held, above } = signals.of("a");
        assert.ok(counted <= list.length && held === counted && above <= held);
      }),
    );
  });
});

describe("SequenceClasses", () => {
  it("tells a flicker from a change, in each sequence by itself", () => {
    const classes = new SequenceClasses();
    const told = [1, 1, 2, 1, 1, 2, 2, 3].map(found => classes.next("s", found));
    assert.deepEqual(told, [null, null, "class_change", "flicker", null, "class_change", null, "class_change"]);
    assert.equal(classes.next("other", 9), null);
  });

  it("forgets the sequence that was not used for longest", () => {
    const classes = new SequenceClasses();
    for (let i = 0; i < 1024; i++) classes.next(String(i), 1);
    classes.next("0", 1);
    classes.next("new", 1);
    assert.equal(classes.next("0", 2), "class_change");
    assert.equal(classes.next("1", 2), null);
  });
});

describe("a switcher that watches its answers", () => {
  it("has counters of it", async () => {
    const folder = new TestFolder();
    const accuracy = { output: "y", confidence: "max", thresholds: { a: 7 }, range: { min: 0, max: 9 }, classes: true };
    const switcher = await TestSwitcher.startReady(affineConfig(folder.path, { accuracy }));
    try {
      await switcher.infer([0, 4]);
      // The first of two elements is the larger one, or the second.
      for (const [first, second] of [
        [1, 0],
        [0, 1],
        [1, 0],
      ]) {
        const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [first, second] }];
        const body = JSON.stringify({ inputs, parameters: { sequence_id: 5 } });
        assert.equal((await fetch(switcher.inferUrl, { method: "POST", body })).status, 200);
      }
      const metrics = await switcher.metrics();
      const line = (name: string, labels: string) =>
        Number(new RegExp(`${name}\\{stage="affine",variant="a",${labels}\\} (\\d+)`).exec(metrics)?.[1]);
      assert.equal(line("assertion_failures_total", 'assertion="class_change"'), 1);
      assert.equal(line("assertion_failures_total", 'assertion="flicker"'), 1);
      assert.equal(line("atc_rows_total", 'above="true"'), 1);
      assert.equal(line("atc_rows_total", 'above="false"'), 4);
      const counted = /confidence_rows_bucket\{le="\+Inf",stage="affine",variant="a"\} (\d+)/.exec(metrics)?.[1];
      assert.equal(counted, "5");
    } finally {
      await switcher.close();
      folder.delete();
    }
  });
});
