import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { plainBoard } from "../../control/board.ts";
import { type ControlState, initialState } from "../../control/control-state.ts";
import { planSchema } from "../../domain/plan-schema.ts";
import { NO_LIVE } from "../../scaler/live-pipeline.ts";
import { OperatorSettings } from "../../scaler/operator-settings.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { parseStoredPipeline } from "../../scaler/stored-pipeline.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const NOW_MS = 1_700_000_000_000;

function open(control: unknown): PipelineControl {
  const { stored } = parseStoredPipeline({ epoch: 4, control, forecaster: { version: -1 }, settings: "nonsense" });
  assert.ok(stored);
  return new PipelineControl({ pipeline: testPipeline(), stored, epoch: 5, machineCores: null, nowMs: NOW_MS });
}

describe("PipelineControl", () => {
  it("refuses a pin of a variant that plans leave out because it doesn't fit beside the default one", () => {
    const pipeline = testPipeline();
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      memoryMiB: 256,
      variants: stage.variants.map(one => ({ ...one, profile: one.profile && { ...one.profile, memoryMiB: 110 } })),
    }));
    const control = new PipelineControl({
      pipeline: { ...pipeline, stages },
      stored: null,
      epoch: 5,
      machineCores: null,
      nowMs: NOW_MS,
    });
    const [stage] = stages;
    const ask = (variant: string | undefined) =>
      control.settings.pinOf({ stage: stage?.name, variant, ttlMs: 60_000 }, control.findLeftOut(NOW_MS), NOW_MS);
    const other = stage?.variants.find(({ name }) => name !== stage.defaultVariant);
    assert.throws(() => ask(other?.name), /can't be served now: memory_short: .* does not fit .* Set `memoryMiB: 320`/);
    assert.equal(ask(stage?.defaultVariant).pin.variant, stage?.defaultVariant);
  });

  it("starts anew where the stored control state can't be used", () => {
    const control = open({ ...initialState(4), actuations: null, quarantines: "none" });
    const board = control.tick([], [], NOW_MS);
    assert.equal(board.plan, null);
    assert.equal(control.tick([{ atMs: NOW_MS, rateRps: 9 }], [], NOW_MS).load?.rateRps, 9);
  });

  it("goes on without a forecaster or settings that can't be read", () => {
    const control = open(initialState(4));
    assert.deepEqual(control.settings.pins(NOW_MS), []);
    assert.equal(control.tick([], [], NOW_MS).forecast, null);
  });

  it("shows the newest sample, also after the clock was set back", () => {
    const control = open(initialState(4));
    const at = (atMs: number, rateRps: number) => ({ atMs, rateRps });
    assert.equal(control.tick([at(NOW_MS, 7), at(NOW_MS - 1000, 3)], [], NOW_MS).load?.rateRps, 7);
    const earlierMs = NOW_MS - 3_600_000;
    assert.equal(control.tick([], [], earlierMs).load, null, "a sample of the future is not the load now");
    assert.equal(control.tick([at(earlierMs, 5)], [], earlierMs).load?.rateRps, 5);
    assert.equal(control.tick([], [], earlierMs + 15_001).load, null);
  });

  it("shows the newest second with arrivals of those that came at once, so that a low load is not taken for none", () => {
    const control = open(initialState(4));
    const at = (secondsAgo: number, rateRps: number) => ({ atMs: NOW_MS - 1000 * secondsAgo, rateRps });
    assert.equal(control.tick([at(30, 9), at(12, 2), at(7, 1), at(5, 0), at(0, 0)], [], NOW_MS).load?.rateRps, 1);
    assert.equal(control.tick([], [], NOW_MS + 1000).load?.rateRps, 1);
    assert.equal(control.tick([{ atMs: NOW_MS + 2000, rateRps: 0 }], [], NOW_MS + 2000).load?.rateRps, 0);
  });

  it("takes a sample for the load now for as long as its source says", () => {
    const control = open(initialState(4));
    control.tick([{ atMs: NOW_MS, rateRps: 7 }], [], NOW_MS, NO_LIVE, 60_000);
    assert.equal(control.newestLoadAtMs, NOW_MS);
    const later = control.tick([], [], NOW_MS + 50_000, NO_LIVE, 60_000);
    assert.ok(later.load?.rateRps === 7 && later.forecast !== null);
    const stale = control.tick([], [], NOW_MS + 61_000, NO_LIVE, 60_000);
    assert.ok(stale.load === null && stale.forecast === null);
  });

  it("plans at its own time: of twenty pipelines that were opened together few plan in the same second, each once an interval", () => {
    const seconds = Array.from({ length: 20 }, (_, i) => {
      const pipeline = testPipeline({ name: `cards-${i}` });
      const control = new PipelineControl({ pipeline, stored: null, epoch: 5, machineCores: null, nowMs: NOW_MS });
      const decided: number[] = [];
      for (let second = 0; second < 31; second++) {
        const atMs = NOW_MS + second * 1000;
        const before = control.decisionId;
        control.tick([{ atMs, rateRps: 50 }], [], atMs);
        if (control.decisionId !== before) decided.push(second);
      }
      assert.equal(decided.filter(second => second > 20).length, 1, `${decided}`);
      return decided.at(-1);
    });
    const together = Math.max(...seconds.map(second => seconds.filter(other => other === second).length));
    assert.ok(together <= 6, `${together} of 20 plan together`);
  });

  it("leaves its state as it was when a tick throws", () => {
    const control = open(initialState(4));
    control.tick([{ atMs: NOW_MS, rateRps: 50 }], [], NOW_MS);
    const before = control.decisionId;
    assert.ok(before);
    assert.throws(() => control.tick([], null as never, NOW_MS + 1000));
    assert.equal(control.decisionId, before);
    assert.equal(control.tick([], [], NOW_MS + 2000).decisionId, before);
  });
});

/** A pipeline's state as it is stored after a minute of work. */
function worked(): Record<string, unknown> {
  const control = open(initialState(4));
  for (let second = 0; second < 60; second++)
    control.tick([{ atMs: NOW_MS + second * 1000, rateRps: 50 }], [], NOW_MS + second * 1000);
  return JSON.parse(JSON.stringify(control.snapshot(NOW_MS + 60_000)));
}

/** Every path to a value in `node`. */
function pathsOf(node: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (node === null || typeof node !== "object") return [path];
  return [path, ...Object.entries(node).flatMap(([key, value]) => pathsOf(value, [...path, key]))];
}

function replaceAt(root: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(root)) return root.map((item, i) => (String(i) === key ? replaceAt(item, rest, value) : item));
  const object = root as Record<string, unknown>;
  return { ...object, [key]: replaceAt(object[key], rest, value) };
}

describe("parseStoredPipeline()", () => {
  it("takes nothing of another version or shape", () => {
    for (const payload of [null, 1, {}, { epoch: -1, control: initialState(1) }]) {
      const { stored, problem } = parseStoredPipeline(payload);
      assert.equal(stored, null);
      assert.ok(problem);
    }
    const { stored, problem } = parseStoredPipeline({ epoch: 1, control: { ...initialState(1), schemaVersion: 2 } });
    assert.equal(stored?.control, null);
    assert.match(problem ?? "", /^control state: schemaVersion/);
  });

  it("takes what was stored as it was", () => {
    const state = worked();
    const { stored, problem } = parseStoredPipeline(state);
    assert.equal(problem, null);
    assert.deepEqual(JSON.parse(JSON.stringify(stored)), state);
    const demands = [{ atMs: 1, rateRps: 20, risenRps: 60 }];
    const { stored: risen } = parseStoredPipeline({ epoch: 1, control: { ...initialState(1), demands } });
    assert.deepEqual(risen?.control?.demands, demands);
  });

  it("takes the state of a newer version, without the reasons, the constraint and the conditions that this one does not know", () => {
    const state = worked();
    const control = state["control"] as ControlState;
    assert.ok(control.plan && control.conditions.length > 0);
    const newer = {
      ...control,
      somethingNew: { a: 1 },
      plan: { ...control.plan, reasons: [...control.plan.reasons, "foreseen"], binding: "memory" },
      planReasons: ["foreseen", ...control.planReasons],
      conditions: [
        { type: "Foreseen", status: true, reason: "X", message: "", sinceMs: 1 },
        ...control.conditions,
        ...Array.from({ length: 9 }, (_, i) => ({ ...control.conditions[0], type: `New${i}` })),
      ],
    };
    const { stored, problem } = parseStoredPipeline({ ...state, control: newer });
    assert.equal(problem, null);
    const kept = { ...control, plan: { ...control.plan, binding: "none" } };
    assert.deepEqual(JSON.parse(JSON.stringify(stored?.control)), kept);
    for (const planReasons of [[1], "optimal", ["x".repeat(300)], Array(200).fill("optimal")])
      assert.equal(parseStoredPipeline({ ...state, control: { ...control, planReasons } }).stored?.control, null);
  });

  it("takes every reason once, and the first condition of each type", () => {
    const state = worked();
    const control = state["control"] as ControlState;
    const [condition] = control.conditions;
    assert.ok(control.plan && condition);
    const twice = {
      ...control,
      plan: { ...control.plan, reasons: Array(100).fill("optimal") },
      planReasons: ["rising", "optimal", "rising"],
      conditions: [...control.conditions, { ...condition, message: "a second one" }],
    };
    const { stored, problem } = parseStoredPipeline({ ...state, control: twice });
    assert.equal(problem, null);
    const { plan, planReasons, conditions } = stored?.control ?? assert.fail();
    assert.deepEqual(
      [plan?.reasons, planReasons, conditions],
      [["optimal"], ["rising", "optimal"], control.conditions],
    );
    assert.ok(planSchema.safeParse(plan).success);
  });

  it("keeps the pins of a newer version's settings whatever else of them it does not know", () => {
    const settings = new OperatorSettings(testPipeline());
    settings.setPin(settings.pinOf({ stage: "detect", replicas: 2, ttlMs: 60_000 }, [], NOW_MS).pin);
    const written = settings.snapshot(NOW_MS);
    const restored = new OperatorSettings(testPipeline());
    const tuning = { forecastQuantile: 0.42 };
    restored.restore(
      { ...written, pins: [{ stage: "read" }, ...written.pins], mode: { mode: "canary", fileMode: "active" }, tuning },
      NOW_MS,
    );
    assert.deepEqual(restored.pins(NOW_MS), written.pins);
    assert.deepEqual([restored.tuning(NOW_MS), restored.mode], [null, "active"]);
  });

  it("takes no damaged state that a tick would stumble over, or that would make a board of nonsense", () => {
    const state = worked();
    const paths = pathsOf(state["control"]).filter(path => path.length > 0);
    const values = [null, "x", -1, 0.5, 1e300, {}, [], [null], true, { __proto__: null, length: 3 }];
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.constantFrom(...values), (path, value) => {
        const damaged = { epoch: 4, control: replaceAt(state["control"], path, value) };
        const { stored } = parseStoredPipeline(damaged);
        const control = new PipelineControl({
          pipeline: testPipeline(),
          stored,
          epoch: 5,
          machineCores: null,
          nowMs: NOW_MS + 61_000,
        });
        const board = control.tick([{ atMs: NOW_MS + 61_000, rateRps: 50 }], [], NOW_MS + 61_000);
        assert.deepEqual(JSON.parse(JSON.stringify(plainBoard(board))), plainBoard(board));
        for (const { replicasNow } of board.stages)
          assert.ok(Number.isInteger(replicasNow) && replicasNow >= 0 && replicasNow <= 10, `${path}: ${replicasNow}`);
      }),
      { numRuns: 300 },
    );
  });
});
