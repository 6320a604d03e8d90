import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Assignment } from "../../domain/assignment.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { serviceTables } from "../../simulator/service-table.ts";
import { SimReplica } from "../../simulator/sim-replica.ts";
import { SimSwitcher } from "../../simulator/sim-switcher.ts";
import { pipelineOf } from "../optimizer/problems.ts";

const LOAD_MS = 100;
const OVERLOAD = { enterQueueMs: 200, exitQueueMs: 50, dwellMs: 1000 };

function assignment(counter: number, variant: string, fallbackVariant = variant): Assignment {
  const version = { epoch: 1, counter };
  return { version, variant, batch: 1, maxWaitMs: 0, fallbackVariant, overload: OVERLOAD, decisionId: "d" };
}

/** A pod of a stage with variants a, b and c, of which `sessions` fit into its memory; an idle one swaps at once. */
function podOf(sessions: number) {
  const names = ["a", "b", "c"];
  const [stage] = pipelineOf({
    stages: [{ name: "s", variants: names.map((name, i) => ({ name, latencyMs: { 1: 10 * (i + 1) } })) }],
  }).stages as [Stage];
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
  const tables = serviceTables(measured, "stage");
  let nowMs = 0;
  const loads: number[] = [];
  const switcher: SimSwitcher = new SimSwitcher({
    replica,
    stage: measured,
    tables,
    onLoading: (_replica, delayMs) => loads.push(nowMs + delayMs),
    onNext: () => {
      const table = replica.next && tables[replica.next.variant];
      if (!replica.next || !table) return;
      replica.serve(replica.next, table);
      replica.next = null;
      switcher.swapped(nowMs);
    },
    onSwitched: () => undefined,
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
  return { switcher, replica, until, at: () => nowMs, view: () => switcher.view(nowMs) };
}

describe("simulated switcher", () => {
  it("serves the old variant until the new one is loaded, and acks then", () => {
    const pod = podOf(3);
    pod.switcher.start(assignment(1, "a"), 0);
    pod.until(100);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["a", 1]);
    pod.switcher.assign(assignment(2, "b", "a"), pod.at());
    pod.until(199);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["a", 1]);
    pod.until(200);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["b", 2]);
  });

  it("goes back to a resident variant at once", () => {
    const pod = podOf(3);
    pod.switcher.start(assignment(1, "a"), 0);
    pod.until(100);
    pod.switcher.assign(assignment(2, "b"), pod.at());
    pod.until(200);
    pod.switcher.assign(assignment(3, "a"), pod.at());
    assert.equal(pod.view().variant, "a");
  });

  it("lets the newest assignment win over one that is loading, and refuses older ones", () => {
    const pod = podOf(3);
    pod.switcher.start(assignment(1, "a"), 0);
    pod.until(100);
    pod.switcher.assign(assignment(2, "b"), pod.at());
    pod.until(150);
    pod.switcher.assign(assignment(3, "c"), pod.at());
    pod.until(210);
    assert.equal(pod.view().variant, "a", "b was given up, and c is not there yet");
    pod.until(250);
    assert.equal(pod.view().variant, "c");
    pod.switcher.assign(assignment(2, "b"), pod.at());
    pod.until(1000);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["c", 3]);
  });

  it("gives up the session that was used longest ago where memory is short, never the one that serves", () => {
    const pod = podOf(2);
    pod.switcher.start(assignment(1, "a"), 0);
    pod.until(100);
    pod.switcher.assign(assignment(2, "b"), pod.at());
    pod.until(300);
    pod.switcher.assign(assignment(3, "c"), pod.at());
    pod.until(500);
    assert.deepEqual([...pod.view().residentVariants].sort(), ["b", "c"]);
  });

  it("keeps the fallback resident, goes to it when its queue is old, and comes back after the dwell", () => {
    const pod = podOf(3);
    pod.switcher.start(assignment(1, "b", "a"), 0);
    pod.until(300);
    assert.deepEqual([...pod.view().residentVariants].sort(), ["a", "b"]);
    const assignedRowMs = pod.replica.rowMs;
    pod.replica.queue.add(0, 1, 300);
    pod.switcher.check(600);
    assert.deepEqual([pod.view().variant, pod.view().protecting], ["a", true]);
    assert.equal(pod.replica.rowMs, assignedRowMs, "the gateway goes on taking it for what it is assigned");
    pod.replica.queue.drop();
    pod.switcher.check(700);
    pod.switcher.check(1800);
    assert.deepEqual([pod.view().variant, pod.view().protecting], ["b", false]);
  });

  it("serves the default variant until there is an assignment", () => {
    const pod = podOf(3);
    pod.switcher.start(null, 0);
    pod.until(100);
    assert.deepEqual([pod.view().variant, pod.view().applied.counter], ["a", 0]);
  });
});
