import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type HpaScaling, reachableCount } from "../../optimizer/reachable-count.ts";

/** How an HPA limits its steps in one sync. */
type Policies = "none" | "default" | "recipe";

/** One sync of an HPA over an external metric with AverageValue and target 1, in milli as the HPA has them. */
function sync(value: number, hpa: HpaScaling, min: number, policies: Policies): number {
  const { current, toleranceUp, toleranceDown, max } = hpa;
  if (current === 0) return 0;
  if (current < min) return min;
  if (current > max) return max;
  const usage = 1000 * value;
  const ratio = usage / (1000 * current);
  const isWithin = 1 - toleranceDown <= ratio && ratio <= 1 + toleranceUp;
  const desired = isWithin ? current : Math.ceil(usage / 1000);
  const most = { none: Math.max(2 * current, 4), default: Math.max(2 * current, current + 4), recipe: current + 1000 };
  return Math.min(max, most[policies], Math.max(min, desired));
}

/** Where it comes to rest when it is told anew before every sync. */
function settle(wanted: number, most: number, hpa: HpaScaling, min: number, policies: Policies): number {
  let current = hpa.current;
  for (let i = 0; i < 50; i++) {
    const { metricValue } = reachableCount(wanted, most, { ...hpa, current });
    const next = sync(metricValue, { ...hpa, current }, min, policies);
    if (next === current) return current;
    current = next;
  }
  assert.fail(`it does not come to rest at ${wanted} from ${hpa.current}`);
}

const exact = (current: number): HpaScaling => ({ current, toleranceUp: 0, toleranceDown: 0, max: 100 });
const tolerant = (current: number, max = 100): HpaScaling => ({ current, toleranceUp: 0.1, toleranceDown: 0.1, max });

describe("reachableCount()", () => {
  it("T1: goes past the band upwards, and stays for what is within it downwards", () => {
    assert.deepEqual(reachableCount(21, 100, tolerant(20)), { metricValue: 23, replicas: 23 });
    assert.deepEqual(reachableCount(22, 100, tolerant(20)), { metricValue: 23, replicas: 23 });
    assert.deepEqual(reachableCount(23, 100, tolerant(20)), { metricValue: 23, replicas: 23 });
    assert.deepEqual(reachableCount(19, 100, tolerant(20)), { metricValue: 20, replicas: 20 });
    assert.deepEqual(reachableCount(18, 100, tolerant(20)), { metricValue: 20, replicas: 20 });
    assert.deepEqual(reachableCount(17, 100, tolerant(20)), { metricValue: 17, replicas: 17 });
  });

  it("takes the edge of the band for inside, as the HPA does", () => {
    assert.equal(reachableCount(11, 100, tolerant(10)).replicas, 12);
    assert.equal(reachableCount(9, 100, tolerant(10)).replicas, 10);
    assert.equal(reachableCount(33, 100, tolerant(30)).replicas, 34);
  });

  it("asks for exactly what is wanted where there is no tolerance, no HPA or nothing to scale", () => {
    for (let wanted = 0; wanted <= 40; wanted++) {
      assert.equal(reachableCount(wanted, 100, undefined).replicas, wanted);
      assert.equal(reachableCount(wanted, 100, exact(20)).replicas, wanted);
      assert.equal(reachableCount(wanted, 100, tolerant(0)).replicas, wanted);
    }
    assert.equal(reachableCount(0, 100, tolerant(1)).replicas, 0);
  });

  it("lets the HPA's own maximum cut off what is too much, and only that", () => {
    assert.deepEqual(reachableCount(20, 20, tolerant(19, 20)), { metricValue: 21, replicas: 20 });
    assert.deepEqual(reachableCount(20, 20, tolerant(19, 50)), { metricValue: 19, replicas: 19 });
  });

  const count = fc.integer({ min: 1, max: 200 });
  const tolerance = fc.constantFrom(0, 0.01, 0.05, 0.1, 0.2, 0.5);
  const policies = fc.constantFrom<Policies>("none", "default", "recipe");

  it("brings the HPA to no less than is wanted, by no more than the band, whatever its policies", () => {
    fc.assert(
      fc.property(count, count, tolerance, tolerance, policies, (current, wanted, toleranceUp, toleranceDown, kind) => {
        const hpa = { current, toleranceUp, toleranceDown, max: 1000 };
        const settled = settle(wanted, 1000, hpa, 1, kind);
        assert.ok(settled >= wanted, `${settled} for ${wanted}`);
        // Coming from below it ends at most one step above the band of a count below `wanted`; from above, within the band.
        const most = Math.max(wanted * (1 + toleranceUp) + 1, wanted / (1 - toleranceDown) + 1e-6);
        assert.ok(settled <= most, `${settled} for ${wanted}, at most ${most}`);
      }),
      { numRuns: 2000 },
    );
  });

  it("T1: without tolerance every count is reached exactly", () => {
    fc.assert(
      fc.property(count, count, policies, (current, wanted, kind) => {
        assert.equal(settle(wanted, 1000, { ...exact(current), max: 1000 }, 1, kind), wanted);
      }),
    );
  });

  it("never leaves the stage's bounds, and gives all of them that is wanted where they are the HPA's own", () => {
    fc.assert(
      fc.property(count, count, count, tolerance, policies, (current, wanted, max, toleranceUp, kind) => {
        const hpa = { current: Math.min(current, max), toleranceUp, toleranceDown: 0.1, max };
        const within = Math.min(wanted, max);
        const settled = settle(within, max, hpa, 1, kind);
        assert.ok(settled >= within && settled <= max);
        const wider = settle(within, max, { ...hpa, max: 1000 }, 1, kind);
        assert.ok(wider <= max, `${wider} is above ${max}`);
      }),
      { numRuns: 2000 },
    );
  });
});
