import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { countAvoidable, describeLightest, serveByLightest } from "../../../bench/ladder/avoidable-misses.ts";
import {
  boundEffective,
  boundInTime,
  countWindows,
  type Demand,
  listWays,
  measureFactors,
  type Way,
} from "../../../bench/ladder/clairvoyant.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

/** The accuracy of one request on so many milliseconds: the best mix of two ways, where refusing it is one of them. */
function mixBest(ways: readonly Way[], workMs: number): number {
  const all = [{ workMs: 0, accuracy: 0 }, ...ways];
  let best = 0;
  for (const a of all)
    for (const b of all) {
      if (a.workMs > workMs) continue;
      const share = b.workMs <= workMs ? 1 : (workMs - a.workMs) / (b.workMs - a.workMs);
      best = Math.max(best, a.accuracy, a.accuracy + share * (b.accuracy - a.accuracy));
    }
  return best;
}

/** The best of all ways to give whole milliseconds to windows: where all that is given is whole, so is the optimum. */
function tryAll(ways: readonly Way[], { counts, windowMs, sloMs, cores, budgetMs }: Demand): number {
  const longest = Math.max(...ways.map(({ workMs }) => workMs));
  let best = 0;
  const visit = (work: readonly number[], right: number): void => {
    for (let from = 0; from < work.length; from += 1) {
      const sum = work.slice(from).reduce((all, one) => all + one, 0);
      if (sum > cores * ((work.length - from) * windowMs + sloMs)) return;
    }
    if (work.reduce((all, one) => all + one, 0) > budgetMs) return;
    const count = counts[work.length];
    if (count === undefined) {
      best = Math.max(best, right);
      return;
    }
    for (let given = 0; given <= count * longest; given += 1)
      visit([...work, given], right + (count === 0 ? 0 : count * mixBest(ways, given / count)));
  };
  visit([], 0);
  return best / counts.reduce((sum, count) => sum + count, 0);
}

describe("boundEffective()", () => {
  const ways = [
    { workMs: 1, accuracy: 0.5 },
    { workMs: 3, accuracy: 0.9 },
  ];

  it("serves all by the most accurate way where there is time for that", () => {
    const demand = { counts: [4, 0, 4], windowMs: 10, sloMs: 5, cores: 1, budgetMs: 100 };
    assert.ok(Math.abs(boundEffective(ways, demand) - 0.9) < 1e-9);
  });

  it("mixes where a window has too little time, and refuses what the lightest can't carry", () => {
    const common = { windowMs: 10, sloMs: 2, cores: 1, budgetMs: 100 };
    // 12 ms for 8 requests: 8 ms by the light way, and two of them by the heavy one.
    assert.ok(Math.abs(boundEffective(ways, { ...common, counts: [8] }) - (6 * 0.5 + 2 * 0.9) / 8) < 1e-9);
    assert.equal(boundEffective(ways, { ...common, counts: [24] }), (12 * 0.5) / 24);
    assert.equal(boundInTime(ways, { ...common, counts: [24] }), 0.5);
  });

  it("keeps within the budget, spends it where it likes, and leaves out ways under the hull", () => {
    const demand = { counts: [2, 2], windowMs: 10, sloMs: 5, cores: 1, budgetMs: 8 };
    const expected = (2 * 0.5 + 2 * 0.9) / 4;
    assert.ok(Math.abs(boundEffective(ways, demand) - expected) < 1e-9);
    assert.ok(Math.abs(boundEffective([...ways, { workMs: 2, accuracy: 0.6 }], demand) - expected) < 1e-9);
  });

  it("equals the best of all ways to give time to windows", () => {
    const way = fc.record({ workMs: fc.integer({ min: 1, max: 3 }), accuracy: fc.integer({ min: 1, max: 10 }) });
    const demand = fc.record({
      counts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
      windowMs: fc.integer({ min: 1, max: 4 }),
      sloMs: fc.integer({ min: 0, max: 3 }),
      cores: fc.integer({ min: 1, max: 2 }),
      budgetMs: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(way, { minLength: 1, maxLength: 3 }), demand, (drawn, given) => {
        fc.pre(given.counts.some(count => count > 0));
        const scaled = drawn.map(({ workMs, accuracy }) => ({ workMs, accuracy: accuracy / 10 }));
        const bound = boundEffective(scaled, given);
        assert.ok(Math.abs(bound - tryAll(scaled, given)) < 1e-9, `${bound}, not ${tryAll(scaled, given)}`);
      }),
    );
  });
});

describe("countWindows()", () => {
  it("counts arrivals by window, the last one included", () => {
    assert.deepEqual(countWindows([0, 99, 100, 250, 299.9], 250, 100), [2, 1, 2]);
  });
});

describe("service times of a run", () => {
  const pipeline = twoStages();

  it("are measured over profiled ones by stage, and as profiled where a stage ran nothing", () => {
    const report = (variant: string, rows: number, batches: number, totalMs: number) => ({
      stage: "detect",
      serviceTimes: [{ variant, rows, batches, totalMs }],
    });
    // 10 batches of 2 light rows are 160 ms by the profile, 5 heavy ones 300.
    const factors = measureFactors(pipeline, [report("light", 2, 10, 200), report("heavy", 1, 5, 490)]);
    assert.deepEqual(factors, { detect: 690 / 460 });
  });

  it("say what each combination takes, without those that are late by themselves", () => {
    const ways = listWays(pipeline, { detect: 2 }, 5);
    assert.equal(ways.length, 9);
    // Twice 8 ms, four rows of 1 ms, and 5 ms beside them.
    assert.ok(ways.some(({ workMs }) => Math.abs(workMs - 25) < 1e-9));
    assert.equal(listWays(pipeline, { detect: 10 }, 0).length, 6);
  });

  it("say what the lightest take for one request, one stage after the other", () => {
    const { busyMs, idleMs } = describeLightest(pipeline, { read: 3 });
    assert.ok(Math.abs(busyMs - (8 + 3 * 4 + pipeline.overhead.cpuMs)) < 1e-9);
    assert.ok(Math.abs(idleMs - Math.max(0, pipeline.overhead.latencyMs - pipeline.overhead.cpuMs)) < 1e-9);
  });
});

describe("avoidable misses", () => {
  it("are not in time although the lightest would have been, which refuse what they can't do in time", () => {
    const service = { busyMs: 10, idleMs: 1 };
    // The third one would be done after 30 ms, and takes nothing from the fourth.
    const served = serveByLightest([0, 0, 0, 12], service, { cores: 1, sloMs: 25 });
    assert.deepEqual(served, [true, true, false, true]);
    assert.deepEqual(serveByLightest([0, 0, 0, 12], service, { cores: 2, sloMs: 25 }), [true, true, true, true]);
    assert.equal(countAvoidable("0101", served), 25);
    assert.equal(countAvoidable("1101", served), 0);
  });
});
