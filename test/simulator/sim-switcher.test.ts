import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Assignment } from "../../domain/assignment.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { serviceTables } from "../../simulator/service-table.ts";
import { SimReplica } from "../../simulator/sim-replica.ts";
import { SimSwitcher } from "../../simulator/sim-switcher.ts";
import { pipelineOf } from "../optimizer/problems.ts";

const LOAD_MS = 100;

/** @param rungs the most accurate first. */
function assignment(
  counter: number,
  rungs: string,
  top = rungs[0] ?? "",
  floor = rungs.at(-1) ?? "",
  maxBatch = 2,
): Assignment {
  const all = [...rungs].map(variant => ({ variant, maxBatch }));
  const budgets = { budgetMs: 200, laterBudgetMs: 100, laterLeastMs: 50, headroom: 0.5, shadow: false };
  return { version: { epoch: 1, counter }, rungs: all, top, floor, ...budgets, belowFloor: [], decisionId: "d" };
}

/** A pod of a stage with variants a (lightest, default) to d, of which `sessions` fit into its memory. */
function podOf(sessions: number, defaultVariant = "a") {
  const variants = [..."abcd"].map((name, i) => ({ name, latencyMs: { 1: 10 * (i + 1), 4: 20 * (i + 1) } }));
  const [stage] = pipelineOf({ stages: [{ name: "s", variants, defaultVariant }] }).stages as [Stage];
  const measured: Stage = {
    ...stage,
    memoryMiB: sessions * 100,
    variants: stage.variants.map(variant => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, loadMs: LOAD_MS, memoryMiB: 100 },
    })),
  };
  const replica = new SimReplica(0, 0, "s-1", 0);
  replica.phase = "ready";
  const loads: number[] = [];
  const tops: string[] = [];
  let nowMs = 0;
  const switcher: SimSwitcher = new SimSwitcher({
    replica,
    stage: measured,
    tables: serviceTables(measured, "stage"),
    onLoading: (_replica, delayMs) => loads.push(nowMs + delayMs),
    onServing: (_replica, isOther) => isOther && tops.push(replica.top?.table.variant.name ?? ""),
    podStartMs: null,
  });
  const until = (atMs: number): void => {
    for (;;) {
      loads.sort((x, y) => x - y);
      const next = loads[0];
      if (next === undefined || next > atMs) break;
      loads.shift();
      nowMs = next;
      switcher.loaded(nowMs);
    }
    nowMs = atMs;
  };
  return {
    replica,
    tops,
    until,
    start: (given: Assignment | null) => switcher.start(given, nowMs),
    assign: (given: Assignment) => switcher.assign(given, nowMs),
    view: () => switcher.view(nowMs),
    resident: () => switcher.view(nowMs).residentVariants.toSorted().join(""),
    rungs: () => replica.ladder.rungs.map(({ variant }) => variant).join(""),
    others: () => replica.ladder.others.map(({ variant }) => variant).join(""),
  };
}

describe("simulated switcher", () => {
  it("loads the floor, then the top, then the others from light to heavy, and serves with what it has", () => {
    const pod = podOf(4);
    pod.start(assignment(1, "dcba"));
    const seen = [100, 200, 300, 400].map(atMs => {
      pod.until(atMs);
      return pod.rungs();
    });
    assert.deepEqual(seen, ["a", "da", "dba", "dcba"]);
    assert.deepEqual(pod.tops, ["a", "d"]);
  });

  it("keeps to the times of an assignment at once, and says that it has applied it once the top is in memory", () => {
    const pod = podOf(4);
    pod.start(assignment(1, "ba"));
    pod.until(100);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter, pod.replica.budgets.headroom], ["a", 0, 0.5]);
    pod.until(200);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["b", 1]);
    assert.equal(pod.view().batch, 2);
  });

  it("serves between top and floor alone, and changes both at once where they are in memory", () => {
    const pod = podOf(4);
    pod.start(assignment(1, "dcba"));
    pod.until(400);
    pod.assign(assignment(2, "dcba", "c", "b"));
    assert.deepEqual([pod.rungs(), pod.others(), pod.view().applied.counter], ["cb", "da", 2]);
    pod.assign(assignment(3, "dcba", "a", "a"));
    assert.deepEqual([pod.rungs(), pod.others()], ["a", "dcb"]);
  });

  it("goes on with what served before until a new top is loaded", () => {
    const pod = podOf(4);
    pod.start(assignment(1, "ba"));
    pod.until(200);
    pod.assign(assignment(2, "dca"));
    pod.until(299);
    assert.deepEqual([pod.rungs(), pod.view().applied.counter], ["ba", 1]);
    pod.until(300);
    assert.deepEqual([pod.rungs(), pod.view().applied.counter], ["da", 2]);
    pod.until(400);
    assert.equal(pod.rungs(), "dca");
  });

  it("lets the newest assignment win over one that is loading, and refuses older ones", () => {
    const pod = podOf(4);
    pod.start(assignment(1, "a"));
    pod.until(100);
    pod.assign(assignment(2, "b"));
    pod.until(150);
    pod.assign(assignment(3, "c"));
    pod.until(210);
    assert.equal(pod.rungs(), "a", "b was given up, and c is not there yet");
    pod.until(250);
    assert.equal(pod.rungs(), "c");
    pod.assign(assignment(2, "b"));
    pod.until(1000);
    assert.deepEqual([pod.rungs(), pod.view().applied.counter], ["c", 3]);
  });

  it("keeps floor and top where memory holds two of three rungs, whichever the top is", () => {
    const pod = podOf(2);
    pod.start(assignment(1, "cba"));
    pod.until(1000);
    assert.deepEqual([pod.resident(), pod.rungs()], ["ac", "ca"]);
    pod.assign(assignment(2, "cba", "b"));
    pod.until(2000);
    assert.deepEqual([pod.resident(), pod.rungs()], ["ab", "ba"]);
  });

  it("keeps the floor in memory while a top is loaded that has no room beside the one before, which gives way", () => {
    const pod = podOf(2);
    pod.start(assignment(1, "cba"));
    pod.until(1000);
    pod.assign(assignment(2, "cba", "b"));
    pod.until(1050);
    assert.deepEqual([pod.resident(), pod.rungs(), pod.view().applied.counter], ["a", "a", 1]);
    pod.until(1100);
    assert.deepEqual([pod.resident(), pod.rungs(), pod.tops], ["ab", "ba", ["a", "c", "a", "b"]]);
  });

  it("keeps the floor of before while a top is loaded that comes with another floor, and lets it serve in the place of the old top", () => {
    for (const [sessions, resident, rungs] of [
      [2, "b", "b"],
      [3, "bc", "cb"],
    ] as const) {
      const pod = podOf(sessions);
      pod.start(assignment(1, "cb"));
      pod.until(1000);
      pod.assign(assignment(2, "da"));
      pod.until(1050);
      assert.deepEqual([pod.resident(), pod.rungs()], [resident, rungs]);
      pod.until(1100);
      assert.equal(pod.rungs(), "d");
      pod.until(1200);
      assert.equal(pod.rungs(), "da");
    }
    const pod = podOf(2);
    pod.start(assignment(1, "cb"));
    pod.until(1000);
    pod.assign({ ...assignment(2, "da"), belowFloor: ["b"] });
    assert.deepEqual([pod.resident(), pod.rungs()], ["c", "c"]);
  });

  it("serves by the rungs and batches of the new assignment once the top of before has given way", () => {
    const pod = podOf(2);
    pod.start(assignment(1, "ca"));
    pod.until(1000);
    pod.assign(assignment(2, "dba", "d", "a", 4));
    pod.until(1050);
    assert.deepEqual([pod.rungs(), pod.replica.top?.maxBatch], ["a", 4]);
    const other = podOf(3);
    other.start(assignment(1, "cba", "c", "b"));
    other.until(1000);
    assert.deepEqual([other.resident(), other.rungs()], ["abc", "cb"]);
    other.assign(assignment(2, "dba"));
    other.until(1050);
    assert.deepEqual([other.resident(), other.rungs()], ["ab", "ba"]);
  });

  it("gives up other rungs before the top that serves", () => {
    const pod = podOf(3);
    pod.start(assignment(1, "cba"));
    pod.until(1000);
    pod.assign(assignment(2, "da"));
    pod.until(1050);
    assert.deepEqual([pod.resident(), pod.rungs()], ["ac", "ca"]);
  });

  it("goes on with the only rung until the one that takes its place is loaded", () => {
    const pod = podOf(2);
    pod.start(assignment(1, "ca"));
    pod.until(1000);
    pod.assign(assignment(2, "b"));
    pod.until(1050);
    assert.deepEqual([pod.resident(), pod.rungs()], ["c", "c"]);
    pod.until(1100);
    assert.equal(pod.rungs(), "b");
  });

  it("gives up what was used longest ago where memory is short, and nothing that its assignment needs", () => {
    const pod = podOf(3);
    pod.start(assignment(1, "ba"));
    pod.until(200);
    pod.assign(assignment(2, "ca"));
    pod.until(300);
    assert.equal(pod.resident(), "abc");
    pod.assign(assignment(3, "da"));
    pod.until(400);
    assert.equal(pod.resident(), "acd");
  });

  it("serves the default variant and below it the lightest one until there is an assignment", () => {
    const pod = podOf(4, "c");
    pod.start(null);
    pod.until(200);
    assert.deepEqual([pod.rungs(), pod.view().applied.counter], ["ca", 0]);
  });
});
