import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { Histogram, Registry } from "prom-client";
import { talliedHistogram } from "../../runtime/tallied-histogram.ts";

const ABOUT = {
  name: "waited_seconds",
  help: "Time that something waited",
  labelNames: ["stage", "variant"],
  buckets: [0.5, 1, 2.5],
};
const LABELS = [
  { stage: "s", variant: "a" },
  { stage: "s", variant: 'b"\\\n' },
];

describe("talliedHistogram", () => {
  it("reads as one of prom-client that observed the same", async () => {
    const value = fc.oneof(fc.constantFrom(...ABOUT.buckets, 0), fc.double({ min: 0, max: 5, noNaN: true }));
    const observed = fc.array(fc.tuple(fc.nat(LABELS.length - 1), value));
    await fc.assert(
      fc.asyncProperty(observed, async values => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const tallies = talliedHistogram(ours, ABOUT, LABELS);
        const histogram = new Histogram({ ...ABOUT, registers: [theirs] });
        // Those of prom-client have the order in which they were observed first.
        for (const [at, seconds] of values.toSorted(([a], [b]) => a - b)) {
          tallies[at]?.observe(seconds);
          histogram.observe(LABELS[at] ?? {}, seconds);
        }
        assert.equal(await ours.metrics(), await theirs.metrics());
      }),
    );
  });

  it("is registered under its name once", () => {
    const registry = new Registry();
    talliedHistogram(registry, ABOUT, LABELS);
    assert.throws(() => talliedHistogram(registry, ABOUT, LABELS), /waited_seconds has already been registered/);
  });
});
