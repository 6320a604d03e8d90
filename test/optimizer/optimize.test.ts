import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { mainPart } from "../../domain/configuration.ts";
import type { Plan } from "../../domain/plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Limits, StagePin } from "../../optimizer/problem.ts";
import { type PipelineShape, pipelineOf, problemOf, type StageShape, WEIGHTS } from "./problems.ts";

/** One stage: `light` serves 100 rows per second and replica, `heavy` 20. */
const ladder: StageShape = {
  name: "classify",
  variants: [
    { name: "light", accuracy: 0.7, latencyMs: { 1: 10 } },
    { name: "heavy", accuracy: 0.9, latencyMs: { 1: 50 } },
  ],
};

const free: Limits = { cores: null, machineCores: null };

function planAt(rateRps: number, shape: Partial<PipelineShape> = {}, more: Parameters<typeof problemOf>[2] = {}): Plan {
  return optimize(problemOf(pipelineOf({ stages: [ladder], ...shape }), rateRps, more));
}

function served(plan: Plan): string[] {
  return plan.stages.map(stage => {
    const part = mainPart(stage);
    return `${part?.variant} ${part?.batch} ${part?.replicas}`;
  });
}

function pin(more: Partial<StagePin>): { pins: StagePin[] } {
  return { pins: [{ stage: "classify", variant: null, batch: null, replicas: null, ...more }] };
}

describe("optimize()", () => {
  it("takes the accurate variant when there is little to do and says so", () => {
    const plan = planAt(5);
    assert.deepEqual(served(plan), ["heavy 1 1"]);
    assert.equal(plan.feasible, true);
    assert.equal(plan.optimal, true);
    assert.equal(plan.gap, 0);
    assert.equal(plan.shedRps, 0);
    assert.equal(plan.binding, "none");
    assert.deepEqual(plan.reasons, ["optimal"]);
    assert.equal(plan.accuracy, 0.9);
    assert.equal(plan.rateRps, 5);
    assert.equal(plan.costPerHour, null);
    assert.deepEqual(
      plan.runnerUp?.stages.map(stage => stage.parts[0]?.variant),
      ["light"],
    );
  });

  it("has an objective that follows from its numbers", () => {
    const plan = planAt(
      60,
      {},
      { current: { classify: { parts: [{ variant: "x", batch: 1, replicas: 1, share: 1 }] } } },
    );
    const expected = plan.effectiveAccuracy - 0.005 * plan.cores - 1e-6 - 0.002;
    assert.ok(Math.abs(plan.objective - expected) < 1e-12);
    assert.ok(plan.effectiveAccuracy <= plan.accuracy && plan.effectiveAccuracy >= 0.95 * plan.accuracy);
  });

  it("takes the light variant when the replicas do not suffice for the heavy one", () => {
    const plan = planAt(300);
    assert.deepEqual(
      served(plan).map(text => text.split(" ")[0]),
      ["light"],
    );
    assert.equal(plan.binding, "maxReplicas");
    assert.deepEqual(plan.reasons, ["optimal", "capped_max_replicas"]);
  });

  it("takes the light variant when the heavy one is too slow", () => {
    const plan = planAt(5, { sloMs: 45 });
    assert.equal(mainPart(plan.stages[0]!)?.variant, "light");
    assert.equal(plan.binding, "slo");
  });

  it("buys latency with replicas beyond what the load needs", () => {
    const relaxed = planAt(150, { sloMs: 500, stages: [{ ...ladder, variants: [ladder.variants[0]!] }] });
    const tight = planAt(150, { sloMs: 16, stages: [{ ...ladder, variants: [ladder.variants[0]!] }] });
    assert.deepEqual(served(relaxed), ["light 1 2"]);
    assert.equal(tight.feasible, true);
    assert.ok(tight.cores > 2, `${tight.cores} cores`);
    assert.ok(tight.latencyMs <= 16);
  });

  it("chooses no count that the live HPA leaves undone, and so the light variant where the heavy one can't be had", () => {
    const from = (current: number, rateRps: number, max: number) => {
      const scaling = { classify: { current, toleranceUp: 0.1, toleranceDown: 0.1, max: Number.POSITIVE_INFINITY } };
      const stages = [{ ...ladder, replicas: { min: 1, max } }];
      return [{}, { scaling }].map(more => served(planAt(rateRps, { stages }, more))[0]);
    };
    // 21 replicas are 1.05 times 20: the HPA goes no less far than to 23.
    assert.deepEqual(from(20, 312, 40), ["heavy 1 21", "heavy 1 23"]);
    assert.deepEqual(from(20, 312, 22), ["heavy 1 21", "light 1 5"]);
    assert.deepEqual(from(20, 282, 40), ["heavy 1 19", "heavy 1 20"]);
    assert.deepEqual(from(20, 252, 40), ["heavy 1 17", "heavy 1 17"]);
  });

  it("says so where the HPA's tolerance alone is in the way, and plans as if it were not", () => {
    const scaling = { classify: { current: 19, toleranceUp: 0.1, toleranceDown: 0.1, max: 50 } };
    const stages = [{ ...ladder, variants: ladder.variants.slice(1), replicas: { min: 1, max: 20 } }];
    const plan = planAt(295, { stages }, { scaling });
    assert.deepEqual(served(plan), ["heavy 1 20"]);
    assert.equal(plan.feasible, false);
    assert.equal(plan.binding, "maxReplicas");
    assert.ok(plan.reasons.includes("hpa_tolerance"));
    assert.equal(plan.shedRps, 0);
  });

  it("spreads the rows of a request over as many replicas as the SLO asks for", () => {
    const stage: StageShape = {
      name: "read",
      fanOut: 6,
      variants: [{ name: "only", accuracy: 0.9, latencyMs: { 1: 20 } }],
    };
    const plan = planAt(0.05, { stages: [stage], sloMs: 60 });
    assert.equal(plan.feasible, true);
    assert.equal(mainPart(plan.stages[0]!)?.replicas, 3);
  });

  it("counts the rows of the variant that is served upstream", () => {
    const stages: StageShape[] = [
      { name: "detect", variants: [{ name: "a", accuracy: 0.9, latencyMs: { 1: 5 } }] },
      {
        name: "read",
        fanOut: 1,
        fanOutByUpstreamVariant: { a: 4 },
        variants: [{ name: "only", accuracy: 0.9, latencyMs: { 1: 10 } }],
      },
    ];
    // 50 requests of 4 rows of 10 ms are 2 busy replicas, 0.75 of which may be used.
    assert.ok((mainPart(planAt(50, { stages }).stages[1]!)?.replicas ?? 0) >= 3);
  });

  it("prefers a larger batch only where it pays", () => {
    const batching = (latencyMs: Record<number, number>): StageShape[] => [
      { name: "classify", variants: [{ name: "only", accuracy: 0.9, latencyMs }], replicas: { min: 1, max: 40 } },
    ];
    const gains = planAt(400, { stages: batching({ 1: 10, 8: 16 }) });
    const none = planAt(400, { stages: batching({ 1: 10, 8: 80 }) });
    assert.equal(mainPart(gains.stages[0]!)?.batch, 8);
    assert.equal(mainPart(none.stages[0]!)?.batch, 1);
    assert.ok(gains.cores < none.cores);
  });

  it("charges a change of variant", () => {
    const current = { classify: { parts: [{ variant: "light", batch: 1, replicas: 1, share: 1 }] } };
    const weights = { ...WEIGHTS, switch: 0.5 };
    assert.deepEqual(served(planAt(5, { objective: { weights } }, { current })), ["light 1 1"]);
  });

  it("keeps to the default variant under the static policy, unless another one is pinned", () => {
    const objective = { policy: "static" as const };
    assert.deepEqual(served(planAt(5, { objective })), ["light 1 1"]);
    assert.deepEqual(served(planAt(5, { objective }, pin({ variant: "heavy" }))), ["heavy 1 1"]);
  });

  it("keeps pins and says so", () => {
    const plan = planAt(5, {}, pin({ variant: "light", batch: 3, replicas: 4 }));
    assert.deepEqual(served(plan), ["light 3 4"]);
    assert.deepEqual(plan.reasons, ["optimal", "pinned"]);
  });

  it("never uses an excluded variant", () => {
    assert.deepEqual(served(planAt(5, {}, { excluded: { classify: ["heavy"] } })), ["light 1 1"]);
  });

  it("stays within cores, cost, a shared machine, the least accuracy and narrower bounds", () => {
    const heavy = planAt(50);
    assert.equal(mainPart(heavy.stages[0]!)?.variant, "heavy");
    const cores = planAt(50, {}, { limits: { ...free, cores: 2 } });
    assert.equal(cores.binding, "cores");
    assert.ok(cores.cores <= 2 && cores.reasons.includes("capped_cores"));
    const cost = planAt(50, { stages: [{ ...ladder, costPerHour: 2 }], objective: { maxCostPerHour: 4 } });
    assert.equal(cost.binding, "cost");
    assert.ok(cost.costPerHour !== null && cost.costPerHour <= 4);
    const machine = planAt(50, {}, { limits: { ...free, machineCores: 1 } });
    assert.equal(machine.binding, "utilisation");
    assert.equal(mainPart(machine.stages[0]!)?.variant, "light");
    const weights = { ...WEIGHTS, cost: 1 };
    const cheap = planAt(50, { objective: { weights } });
    const accurate = planAt(50, { objective: { weights, minAccuracy: 0.8 } });
    assert.deepEqual(
      [cheap, accurate].map(plan => mainPart(plan.stages[0]!)?.variant),
      ["light", "heavy"],
    );
    assert.equal(accurate.binding, "minAccuracy");
    assert.equal(planAt(50, {}, { bounds: { classify: { min: 7, max: 9 } } }).cores, 7);
  });

  it("lets a machine's replicas outnumber its cores, but not their work", () => {
    const plan = planAt(
      50,
      { stages: [ladder, { ...ladder, name: "again" }] },
      { limits: { ...free, machineCores: 4 } },
    );
    assert.equal(plan.feasible, true);
    assert.ok(plan.cores >= 2);
  });
});

describe("optimize() where nothing meets every constraint", () => {
  it("serves as much as it can and sheds the rest", () => {
    const plan = planAt(2_000);
    assert.equal(plan.feasible, false);
    assert.deepEqual(plan.reasons, ["infeasible", "capped_max_replicas"]);
    assert.equal(plan.binding, "maxReplicas");
    assert.deepEqual(served(plan), ["light 1 10"]);
    // 10 replicas of 100 rows per second, three quarters of which may be used.
    assert.ok(Math.abs(plan.shedRps - 1_250) < 1e-3, `${plan.shedRps}`);
    assert.ok(Math.abs(plan.effectiveAccuracy - (0.7 * 750) / 2_000) < 1e-3, `${plan.effectiveAccuracy}`);
  });

  it("serves everything where only the SLO is out of reach", () => {
    const plan = planAt(5, { sloMs: 8 });
    assert.equal(plan.feasible, false);
    assert.equal(plan.binding, "slo");
    assert.equal(plan.shedRps, 0);
    assert.ok(plan.latencyMs > 8);
  });

  it("serves everything where only the least accuracy is out of reach", () => {
    const plan = planAt(5, { objective: { minAccuracy: 0.95 } });
    assert.equal(plan.feasible, false);
    assert.equal(plan.binding, "minAccuracy");
    assert.deepEqual(served(plan), ["heavy 1 1"]);
    assert.equal(plan.shedRps, 0);
  });

  it("sheds what cores, cost or the machine do not allow", () => {
    const cores = planAt(400, {}, { limits: { ...free, cores: 3 } });
    assert.equal(cores.binding, "cores");
    assert.ok(Math.abs(cores.shedRps - 175) < 1e-3, `${cores.shedRps}`);
    const cost = planAt(400, { stages: [{ ...ladder, costPerHour: 1 }], objective: { maxCostPerHour: 3 } });
    assert.equal(cost.binding, "cost");
    assert.ok(Math.abs(cost.shedRps - 175) < 1e-3, `${cost.shedRps}`);
    const machine = planAt(400, {}, { limits: { ...free, machineCores: 3 } });
    assert.equal(machine.binding, "utilisation");
    assert.ok(Math.abs(machine.shedRps - 175) < 1e-3, `${machine.shedRps}`);
    assert.ok(machine.reasons.includes("capped_cores"));
  });

  it("keeps the least replicas although they cost more than is allowed", () => {
    const stage = { ...ladder, replicas: { min: 4, max: 10 } };
    const plan = planAt(5, { stages: [stage] }, { limits: { ...free, cores: 2 } });
    assert.equal(plan.feasible, false);
    assert.equal(plan.binding, "cores");
    assert.equal(plan.cores, 4);
    assert.equal(plan.shedRps, 0);
  });

  it("says what is served where no variant was profiled or all are excluded", () => {
    const unprofiled = { ...ladder, variants: [{ name: "light", latencyMs: null }] };
    const plan = planAt(5, { stages: [ladder, { ...unprofiled, name: "next", replicas: { min: 2, max: 5 } }] });
    assert.equal(plan.feasible, false);
    assert.deepEqual(served(plan), ["heavy 1 1", "light 1 2"]);
    assert.equal(plan.effectiveAccuracy, 0);
    assert.ok(plan.latencyMs > 0);
    const excluded = planAt(5, {}, { excluded: { classify: ["light", "heavy"] } });
    assert.equal(excluded.feasible, false);
    assert.deepEqual(served(excluded), ["light 1 1"]);
  });

  it("takes a pin of too few replicas as it is", () => {
    const plan = planAt(300, {}, pin({ replicas: 1 }));
    assert.equal(plan.feasible, false);
    assert.deepEqual(served(plan), ["light 1 1"]);
    assert.ok(Math.abs(plan.shedRps - 225) < 1e-3);
    assert.ok(plan.reasons.includes("pinned"));
  });
});
