import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type InstanceSize, randomInstance } from "../../bench/optimizer-instances.ts";
import type { Plan } from "../../domain/plan.ts";
import { optimizeFleet } from "../../optimizer/fleet.ts";
import { placePods } from "../../optimizer/node-fit.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { optimizeShared } from "../../optimizer/shared-stage.ts";
import { bruteForce, type FeasibleChoice, feasibleChoices } from "./brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";
import { busyProblem, plainProblem, smallProblem } from "./random-problem.ts";

const none = { cores: null, memoryMiB: null, nodes: null };

/** The best sum of objectives within a number of cores, over all choices of all problems; null: nothing fits. */
function bestTogether(all: readonly (readonly FeasibleChoice[])[], cores: number): number | null {
  const [first, ...others] = all;
  if (!first) return 0;
  let best: number | null = null;
  for (const choice of first) {
    const rest = choice.cores <= cores + 1e-9 ? bestTogether(others, cores - choice.cores) : null;
    if (rest !== null) best = Math.max(best ?? -Infinity, choice.objective + rest);
  }
  return best;
}

/** Only the choices that no other one beats. */
function frontOf(choices: readonly FeasibleChoice[]): FeasibleChoice[] {
  const front: FeasibleChoice[] = [];
  for (const choice of choices.toSorted((a, b) => a.cores - b.cores || b.objective - a.objective))
    if (choice.objective > (front.at(-1)?.objective ?? -Infinity)) front.push(choice);
  return front;
}

function feasibleInstances(count: number, size: InstanceSize): Problem[] {
  const problems: Problem[] = [];
  for (let seed = 0; problems.length < count; seed++) {
    const problem = randomInstance(size, seed);
    if (optimize(problem).feasible) problems.push(problem);
  }
  return problems;
}

function leastCores(problems: readonly Problem[]): number {
  const plans = problems.map(problem => optimize({ ...problem, prices: { core: 1e6, memoryMiB: 0 } }));
  return plans.reduce((sum, plan) => sum + plan.cores, 0);
}

describe("optimizeFleet()", () => {
  it("never is better than the best together, and never further below it than it says", () => {
    let limited = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(smallProblem, plainProblem, busyProblem).filter(problem => optimize(problem).feasible),
          { minLength: 2, maxLength: 3 },
        ),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (problems, share) => {
          const fronts = problems.map(problem => frontOf(feasibleChoices(problem)));
          const free = optimizeFleet(problems, none);
          const cores = share * free.cores;
          const best = bestTogether(fronts, cores);
          const fleet = optimizeFleet(problems, { ...none, cores });
          assert.equal(fleet.feasible, best !== null, `${fleet.feasible} ${best}`);
          if (best === null) return;
          if (cores < free.cores) limited++;
          assert.ok(fleet.cores <= cores + 1e-9);
          assert.ok(fleet.objective <= best + 1e-9, `${fleet.objective} above ${best}`);
          assert.ok(fleet.objective + fleet.gap >= best - 1e-9, `${fleet.objective} + ${fleet.gap} below ${best}`);
        },
      ),
      { numRuns: 50 },
    );
    assert.ok(limited > 8, `${limited}`);
  });

  it("bounds what members that can be served could gain beside one that can't be, which takes its least bad plan", () => {
    let limited = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(smallProblem, plainProblem, busyProblem).filter(problem => optimize(problem).feasible),
          { minLength: 2, maxLength: 2 },
        ),
        plainProblem,
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (problems, other, share) => {
          const hopeless = { ...other, rateRps: 1e7 };
          if (optimize(hopeless).feasible) return;
          const all = [...problems, hopeless];
          const cores = leastCores([hopeless]) + share * optimizeFleet(problems, none).cores;
          const fleet = optimizeFleet(all, { ...none, cores });
          if (fleet.servedShare < 1) return;
          assert.equal(fleet.feasible, false);
          const plans = fleet.plans.slice(0, 2);
          const left = cores - (fleet.plans[2]?.cores ?? 0);
          const best = bestTogether(
            problems.map(problem => frontOf(feasibleChoices(problem))),
            left,
          );
          if (best === null || plans.some(({ feasible }) => !feasible)) return;
          limited++;
          const objective = plans.reduce((sum, plan) => sum + plan.objective, 0);
          assert.ok(objective <= best + 1e-9);
          assert.ok(objective + fleet.gap >= best - 1e-9, `${objective} + ${fleet.gap} below ${best}`);
          // No worse than what these two are given by themselves, and no bound that is worth nothing.
          const alone = optimizeFleet(problems, { ...none, cores: left });
          assert.ok(fleet.gap <= alone.gap + 1e-3 * Math.abs(objective) + 1e-9, `${fleet.gap} against ${alone.gap}`);
        },
      ),
      { numRuns: 40 },
    );
    assert.ok(limited > 8, `${limited}`);
  });

  it("comes within a thousandth of the best for 100 pipelines that share their cores", function () {
    this.timeout(300_000);
    const problems = feasibleInstances(100, { stages: 3, variants: 5, batches: 4 });
    const free = optimizeFleet(problems, none);
    const least = leastCores(problems);
    for (const share of [0.8, 0.4, 0.1]) {
      const cores = least + share * (free.cores - least);
      const fleet = optimizeFleet(problems, { ...none, cores });
      assert.equal(fleet.feasible, true);
      assert.ok(fleet.cores <= cores);
      assert.ok(fleet.gap <= 1e-3 * Math.abs(fleet.objective), `${fleet.gap} of ${fleet.objective}`);
      assert.ok(fleet.prices.core > 0);
    }
  });

  it("serves the same share of every load where not even the cheapest plans fit", () => {
    const problems = Array.from({ length: 5 }, (_, i) => ({
      ...randomInstance({ stages: 2, variants: 3, batches: 3 }, i),
      rateRps: 100,
    }));
    const cores = 0.5 * leastCores(problems);
    const fleet = optimizeFleet(problems, { ...none, cores });
    assert.equal(fleet.feasible, false);
    assert.ok(fleet.servedShare > 0.2 && fleet.servedShare < 1, `${fleet.servedShare}`);
    assert.ok(fleet.cores <= cores);
    for (const plan of fleet.plans) {
      assert.equal(plan.rateRps, 100);
      assert.ok(Math.abs(plan.shedRps - 100 * (1 - fleet.servedShare)) < 1e-9, `${plan.shedRps}`);
      assert.ok(plan.effectiveAccuracy <= fleet.servedShare * plan.accuracy + 1e-12);
      assert.equal(plan.feasible, false);
      assert.deepEqual(plan.reasons.slice(0, 2), ["infeasible", "capped_cores"]);
      assert.equal(plan.binding, "cores");
    }
    const nothing = optimizeFleet(problems, { ...none, cores: 0 });
    assert.equal(nothing.feasible, false);
    for (const plan of nothing.plans) assert.deepEqual([plan.shedRps, plan.effectiveAccuracy], [100, 0]);
    assert.ok(Number.isFinite(nothing.objective) && Number.isFinite(nothing.gap));
    assert.deepEqual(optimizeFleet([], { ...none, cores: 0 }).plans, []);
  });

  it("keeps to memory, and to what fits on nodes", () => {
    const problems = feasibleInstances(8, { stages: 2, variants: 4, batches: 3 });
    const free = optimizeFleet(problems, none);
    // A replica takes 1,024 MiB: between the fewest replicas and as many as are best.
    const few = problems.map(problem => optimize({ ...problem, prices: { core: 0, memoryMiB: 1e6 } }));
    const fewest = few.flatMap(plan => plan.stages).reduce((sum, { parts }) => sum + (parts[0]?.replicas ?? 0), 0);
    const memoryMiB = (1024 * fewest + free.memoryMiB) / 2;
    const tight = optimizeFleet(problems, { ...none, memoryMiB });
    assert.equal(tight.feasible, true);
    assert.ok(tight.memoryMiB <= memoryMiB);
    const nodes = Array.from({ length: Math.ceil(free.cores / 15) }, () => ({ cores: 16, memoryMiB: 1e6 }));
    const fitted = optimizeFleet(problems, { ...none, nodes });
    assert.equal(fitted.feasible, true);
    const pods = fitted.plans.flatMap(plan =>
      plan.stages.flatMap(({ cores, parts }) =>
        Array.from({ length: parts[0]?.replicas ?? 0 }, () => ({
          cores: cores / (parts[0]?.replicas ?? 1),
          memoryMiB: 1024,
        })),
      ),
    );
    assert.deepEqual(placePods(pods, nodes), []);
  });
});

describe("optimizeFleet() with two limits", () => {
  it("finds what takes more of one and less of the other", () => {
    const stage: StageShape = {
      name: "only",
      replicas: { min: 1, max: 40 },
      variants: [
        { name: "narrow", accuracy: 0.9, latencyMs: { 1: 63.75 }, cores: 0.2 },
        { name: "wide", accuracy: 0.9, latencyMs: { 1: 48.75 }, cores: 1.25 },
      ],
    };
    const pipeline = pipelineOf({ stages: [stage], objective: { podShape: "variant" } });
    const problem = problemOf(pipeline, 100);
    const plan = optimizeFleet([problem], { cores: 10, memoryMiB: 8192, nodes: null });
    assert.equal(plan.feasible, true);
    assert.equal(plan.plans[0]?.stages[0]?.parts[0]?.variant, "wide");
  });
});

describe("placePods()", () => {
  it("gives back what finds no room", () => {
    const pod = (cores: number) => ({ cores, memoryMiB: 1 });
    assert.deepEqual(
      placePods(
        [pod(3), pod(2), pod(2), pod(1)],
        [pod(4), pod(4)].map(node => ({ ...node, memoryMiB: 9 })),
      ),
      [],
    );
    assert.deepEqual(
      placePods(
        [pod(3), pod(3), pod(3)],
        [
          { cores: 4, memoryMiB: 9 },
          { cores: 4, memoryMiB: 9 },
        ],
      ),
      [pod(3)],
    );
    assert.deepEqual(placePods([pod(1), pod(1)], [{ cores: 4, memoryMiB: 1 }]), [pod(1)]);
  });
});

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
      assert.ok(plan && plan.gap !== null);
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
    assert.ok(tight.objective + (tight.gap ?? 0) <= free.objective + 1e-9);
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
