import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { distributeParts } from "../../control/part-distribution.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import { NO_VERSION } from "../../domain/assignment.ts";

const partOf = (variant: string, replicas: number) => ({ variant, batch: 1, replicas, share: 1 });
const viewOf = (pod: string, variant: string, ready = true): SwitcherView => ({
  stage: "s",
  pod,
  ready,
  applied: NO_VERSION,
  variant,
  batch: 1,
  residentVariants: [variant],
  missingVariants: [],
  pin: null,
  queuedRows: 0,
  queueAgeMs: 0,
  serviceTimes: [],
  nack: null,
});

describe("distributeParts()", () => {
  const run = (
    parts: readonly ReturnType<typeof partOf>[],
    views: readonly SwitcherView[],
    told: Readonly<Record<string, string>> = {},
  ) => {
    const found = distributeParts(parts, views, pod => told[pod]);
    assert.ok(found);
    return [views.map(view => found.choosePart(view).variant).join(" "), found.newcomer.variant];
  };

  it("gives every part its replicas, and a newcomer what most are missing of", () => {
    const parts = [partOf("a", 1), partOf("b", 2), partOf("c", 1)];
    const views = ["1", "2", "3", "4"].map(pod => viewOf(pod, "x"));
    const [served] = run(parts, views);
    assert.deepEqual(served?.split(" ").sort(), ["a", "b", "b", "c"]);
    assert.deepEqual(run(parts, []), ["", "b"]);
  });

  it("lets a switcher be what it was told, whatever it serves still, and else what it serves", () => {
    const parts = [partOf("a", 1), partOf("b", 1)];
    assert.equal(run(parts, [viewOf("1", "a"), viewOf("2", "a")], { "1": "b", "2": "a" })[0], "b a");
    assert.equal(run(parts, [viewOf("1", "b"), viewOf("2", "a")])[0], "b a");
    // The first of two that serve the same keeps it; a newer name before it does not take it away.
    assert.equal(run(parts, [viewOf("0", "a", false), viewOf("1", "a"), viewOf("2", "b")])[0], "a a b");
  });

  it("leaves those beyond the goal as they are, and takes the rest of a part that is to be less", () => {
    const parts = [partOf("a", 1), partOf("b", 1)];
    const views = [viewOf("1", "b"), viewOf("2", "b"), viewOf("3", "a")];
    assert.equal(run(parts, views, { "1": "b", "2": "b", "3": "a" })[0], "b b a");
    assert.equal(run([partOf("a", 2), partOf("b", 1)], views, { "1": "b", "2": "b", "3": "a" })[0], "b a a");
  });

  it("gives one part to all", () => {
    assert.deepEqual(run([partOf("a", 2)], [viewOf("1", "b"), viewOf("2", "a"), viewOf("3", "c")]), ["a a a", "a"]);
    assert.equal(
      distributeParts([], [], () => undefined),
      null,
    );
  });
});
