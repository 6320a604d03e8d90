import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Plan } from "../../domain/plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { optimizeShared } from "../../optimizer/shared-stage.ts";
import { bruteForce, feasibleChoices } from "./brute-force.ts";
import { bestTogether, frontOf } from "./fleet-brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";

const none = { cores: null, memoryMiB: null, nodes: null };

describe("optimizeShared()", () => {
  const shared: StageShape = {
    name: "embed",
    replicas: { min: 1, max: 30 },
    variants: [
      { name: "light", accuracy: 0.8, latencyMs: { 1: 10, 4: 20 } },
      { name: "heavy", accuracy: 0.9, latencyMs: { 1: 30, 4: 70 } },
    ],
  };
  const last = (accuracy: number): StageShape => ({
    name: "last",
    replicas: { min: 1, max: 30 },
    variants: [
      { name: "light", accuracy, latencyMs: { 1: 5 } },
      { name: "heavy", accuracy: accuracy + 0.1, latencyMs: { 1: 25 } },
    ],
  });
  const members = [
    { problem: 0, stage: "embed" },
    { problem: 1, stage: "embed" },
  ];
  const weights = { accuracy: 1, cost: 0.01, batch: 1e-6, switch: 0 };

  it("finds what trying everything finds, with the rows of both in one queue", () => {
    for (const [a, b] of [
      [10, 40],
      [80, 5],
      [150, 150],
    ] as const) {
      const problems = [
        problemOf(pipelineOf({ stages: [shared, last(0.7)], objective: { weights } }), a),
        problemOf(pipelineOf({ stages: [shared, last(0.85)], objective: { weights } }), b),
      ];
      const plan = optimizeShared(problems, { members });
      assert.equal(plan?.feasible, true);
      assert.equal(plan?.gap, 0);
      let best = -Infinity;
      for (const variant of ["light", "heavy"])
        for (const batch of [1, 4])
          for (let replicas = 1; replicas <= 30; replicas++) {
            const found = problems.map((problem, p) =>
              bruteForce({
                ...problem,
                pins: [{ stage: "embed", variant, batch, replicas }],
                othersRps: { embed: p === 0 ? b : a },
              }),
            );
            if (found.every(([first]) => first))
              best = Math.max(
                best,
                found.reduce((sum, [first]) => sum + first!.objective, 0.01 * replicas),
              );
          }
      assert.ok(Math.abs((plan?.objective ?? 0) - best) < 1e-9, `${plan?.objective} ${best}`);
      const parts = plan?.plans.map(({ stages }) => stages[0]?.parts);
      assert.deepEqual(parts?.[0], parts?.[1]);
      const apart = problems.map(problem => optimize(problem)).reduce((sum, { objective }) => sum + objective, 0);
      assert.ok((plan?.objective ?? 0) > apart - 0.05);
    }
  });

  it("counts the rows of all, also where the first pipeline has none", () => {
    const problems = [0, 1500].map(rate =>
      problemOf(pipelineOf({ stages: [shared, last(0.7)], objective: { weights } }), rate),
    );
    const plan = optimizeShared(problems, { members });
    const swapped = optimizeShared(problems.toReversed(), { members });
    assert.equal(plan?.feasible, true);
    assert.equal(plan?.objective, swapped?.objective);
    assert.deepEqual(plan?.plans[0]?.stages[0]?.parts, swapped?.plans[0]?.stages[0]?.parts);
  });

  it("plans for the same share of every load where the shared stage can't have replicas for all", () => {
    const small = { ...shared, replicas: { min: 1, max: 2 } };
    const problems = [100, 300].map(rate =>
      problemOf(pipelineOf({ stages: [small, last(0.7)], objective: { weights } }), rate),
    );
    const plan = optimizeShared(problems, { members });
    assert.equal(plan?.feasible, false);
    const share = plan?.servedShare ?? 0;
    assert.ok(share > 0.5 && share < 1, `${share}`);
    for (const [p, rate] of [100, 300].entries()) {
      const own: Plan | undefined = plan?.plans[p];
      assert.equal(own?.rateRps, rate);
      assert.equal(own?.binding, "maxReplicas");
      assert.ok(Math.abs((own?.shedRps ?? 0) - rate * (1 - share)) < 1e-9);
    }
    const sum = plan?.plans.reduce((all, own) => all + own.objective, 0.01 * 2) ?? 0;
    assert.ok(Math.abs(sum - (plan?.objective ?? 0)) < 1e-9, `${sum}, ${plan?.objective}`);
    const enough = problems.map(problem => ({ ...problem, rateRps: problem.rateRps * share * 0.999 }));
    assert.equal(optimizeShared(enough, { members })?.feasible, true);
  });

  it("keeps limits on cores and memory with the stage counted once, and is never further below the best than it says", () => {
    let limited = 0;
    const problems = [60, 90].map((rate, p) =>
      problemOf(pipelineOf({ stages: [shared, last(0.7 + 0.1 * p)], objective: { weights } }), rate),
    );
    const free = optimizeShared(problems, { members });
    assert.ok(free);
    for (let cores = Math.ceil(free.cores) - 1; cores > free.cores / 2; cores--) {
      let best: number | null = null;
      for (const variant of ["light", "heavy"])
        for (const batch of [1, 4])
          for (let replicas = 1; replicas <= 12; replicas++) {
            const choices = problems.map((problem, p) =>
              frontOf(
                feasibleChoices({
                  ...problem,
                  pins: [{ stage: "embed", variant, batch, replicas }],
                  othersRps: { embed: p === 0 ? 90 : 60 },
                }),
              ),
            );
            const sum = bestTogether(choices, cores + replicas);
            if (sum !== null) best = Math.max(best ?? -Infinity, sum + 0.01 * replicas);
          }
      const plan = optimizeShared(problems, { members }, { ...none, cores });
      assert.ok(plan);
      assert.equal(plan.feasible, best !== null, `${cores}`);
      if (best === null) continue;
      limited++;
      assert.ok(plan.cores <= cores + 1e-9);
      assert.ok(plan.objective <= best + 1e-9 && plan.objective + plan.gap >= best - 1e-9, `${cores}: ${best}`);
      const memory = optimizeShared(problems, { members }, { ...none, memoryMiB: plan.memoryMiB });
      assert.ok((memory?.memoryMiB ?? Infinity) <= plan.memoryMiB + 1e-9);
    }
    assert.ok(limited >= 3, `${limited}`);
  });

  it("puts the replicas of the shared stage on nodes once", () => {
    const problems = [60, 90].map(rate =>
      problemOf(pipelineOf({ stages: [shared, last(0.7)], objective: { weights } }), rate),
    );
    const free = optimizeShared(problems, { members });
    assert.ok(free);
    const node = { cores: 1, memoryMiB: 1e6 };
    const nodes = Array.from({ length: free.cores }, () => node);
    const fits = optimizeShared(problems, { members }, { ...none, nodes });
    assert.equal(fits?.objective, free.objective, "as many nodes of a core as cores are needed");
    const tight = optimizeShared(problems, { members }, { ...none, nodes: nodes.slice(1) });
    assert.ok(tight && tight.cores <= free.cores - 1 && tight.objective < free.objective);
    assert.ok(tight.objective + tight.gap <= free.objective + 1e-9);
  });

  it("serves the same share of every load where the limit is too little for all", () => {
    const problems = [100, 300].map(rate =>
      problemOf(pipelineOf({ stages: [shared, last(0.7)], objective: { weights } }), rate),
    );
    const plan = optimizeShared(problems, { members }, { ...none, cores: 3 });
    assert.ok(plan && !plan.feasible && plan.cores <= 3 && plan.servedShare > 0 && plan.servedShare < 1);
    assert.deepEqual(
      plan.plans.map(({ binding }) => binding),
      ["cores", "cores"],
    );
  });

  it("plans as well for the others where one pipeline can't be served at all", () => {
    const problems = [60, 90].map((rate, p) =>
      problemOf(pipelineOf({ stages: [shared, last(0.7 + 0.1 * p)], sloMs: 100, objective: { weights } }), rate),
    );
    const stage = { ...last(0.9), variants: [{ name: "slow", accuracy: 0.9, latencyMs: { 1: 50 } }] };
    const hopeless = problemOf(pipelineOf({ stages: [stage], sloMs: 10, objective: { weights } }), 5);
    const least = optimize({ ...hopeless, prices: { core: 1e6, memoryMiB: 0 } });
    for (const cores of [6, 9]) {
      const alone = optimizeShared(problems, { members }, { ...none, cores });
      const beside = optimizeShared([...problems, hopeless], { members }, { ...none, cores: cores + least.cores });
      assert.ok(alone?.feasible && beside && !beside.feasible);
      const sum = beside.plans.slice(0, 2).reduce((all, { objective }) => all + objective, 0);
      const sumAlone = alone.plans.reduce((all, { objective }) => all + objective, 0);
      assert.ok(sum >= sumAlone - 1e-3, `${cores}: ${sum} against ${sumAlone}`);
    }
  });

  it("is infeasible, and not nothing, where not even the least fits", () => {
    const problems = [60, 90].map(rate =>
      problemOf(pipelineOf({ stages: [shared, last(0.7)], objective: { weights } }), rate),
    );
    for (const cores of [1, 0, -1, Number.NaN]) {
      const plan = optimizeShared(problems, { members }, { ...none, cores });
      assert.equal(plan?.feasible, false);
      assert.equal(plan?.servedShare, 0);
    }
    const busy = problems.map((problem, p) => ({ ...problem, rateRps: p === 0 ? 100 : 300 }));
    const memory = optimizeShared(busy, { members }, { ...none, memoryMiB: 3 * 1024 });
    assert.equal(memory?.feasible, false);
    for (const { binding, reasons } of memory?.plans ?? []) {
      assert.ok(binding !== "cores" && !reasons.includes("capped_cores"));
      assert.ok(!reasons.includes("pinned") && !reasons.includes("optimal"), String(reasons));
    }
  });

  it("has nothing for a stage that is not there", () => {
    const problem = problemOf(pipelineOf({ stages: [shared] }), 5);
    assert.equal(optimizeShared([problem], { members: [{ problem: 0, stage: "other" }] }), null);
    assert.equal(optimizeShared([], { members: [{ problem: 3, stage: "embed" }] }), null);
  });
});
