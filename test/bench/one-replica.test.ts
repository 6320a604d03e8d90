import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type Circumstances, type RungModel, serveAlone } from "../../bench/ladder/one-replica.ts";
import { RULES } from "../../bench/ladder/rules.ts";

function createModel(name: string, accuracy: number, latencyMs: number, maxBatch: number): RungModel {
  const points = [1, maxBatch].map(batch => ({ batch, latencyMs: latencyMs * (0.5 + 0.5 * batch) }));
  return { variant: { name, accuracy }, profile: { points }, maxBatch };
}

/** Bursts of 80 % of what the lightest variant can, a fifth of the time. */
const BURSTS: Circumstances = {
  rungs: [createModel("heavy", 0.99, 1.8, 4), createModel("middle", 0.95, 0.4, 8), createModel("light", 0.85, 0.2, 16)],
  sloMs: 50,
  headroom: 0.75,
  ratesRps: Array.from({ length: 200 }, (_, slot) => (slot % 20 < 4 ? 6000 : 1200)),
  slower: 1,
  stalls: { everyMs: 500, ms: 30 },
};

describe("one replica under the rule", () => {
  it("misses little more than its lightest variant would where the machine stands still for most of the SLO now and then", () => {
    const ours = serveAlone(BURSTS, RULES.ladder, 1);
    const lightest = serveAlone(BURSTS, RULES.ladder, 1, ["light"]);
    assert.deepEqual(ours.arrivals, lightest.arrivals);
    const from = ours.arrivals.findIndex(ms => ms >= 10_000);
    const missed = ours.inTime.filter((was, at) => at >= from && !was && lightest.inTime[at] === true).length;
    const percent = (100 * missed) / (ours.requests - from);
    assert.ok(percent <= 0.5, `${percent} % missed`);
    assert.ok(ours.effectivePercent > lightest.effectivePercent + 3, `${ours.effectivePercent} % right and in time`);
  });

  it("stands still at the same times by any rule", () => {
    const idle = { ...BURSTS, ratesRps: BURSTS.ratesRps.map(() => 20) };
    const heavy = serveAlone(idle, RULES.ladder, 1, ["heavy"]);
    const light = serveAlone(idle, RULES.ladder, 1, ["light"]);
    assert.ok(light.p50Ms < heavy.p50Ms);
    const slow = { ...idle, sloMs: 20 };
    const missed = ["heavy", "light"].map(name => serveAlone(slow, RULES.ladder, 1, [name]).missedPercent);
    assert.ok(Math.abs((missed[0] as number) - (missed[1] as number)) < 1, missed.join());
    assert.ok((missed[0] as number) > 0);
  });
});
