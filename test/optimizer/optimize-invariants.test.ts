import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import type { Plan, StagePlan } from "../../domain/plan.ts";
import { configurationOf } from "../../domain/plan.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { pipelineOf, problemOf } from "./problems.ts";
import { plainProblem, smallProblem } from "./random-problem.ts";

function assertSane(plan: Plan): void {
  const numbers = [plan.accuracy, plan.effectiveAccuracy, plan.cores, plan.costPerHour ?? 0, plan.latencyMs, plan.gap];
  for (const value of [...numbers, plan.objective, plan.shedRps, plan.rateRps]) {
    assert.ok(Number.isFinite(value), JSON.stringify(plan));
  }
  for (const value of numbers) assert.ok(value >= 0, JSON.stringify(plan));
  assert.ok(plan.effectiveAccuracy <= plan.accuracy + 1e-12);
  assert.ok(plan.shedRps >= 0 && plan.shedRps <= plan.rateRps);
  for (const stage of plan.stages) {
    assert.ok(stage.parts.length > 0);
    assert.ok(stage.parts.every(part => Number.isInteger(part.replicas) && part.replicas >= 0 && part.batch >= 1));
    assert.ok(Number.isFinite(stage.latencyMs) && stage.latencyMs >= 0);
  }
}

function withPipeline(problem: Problem, change: (pipeline: Pipeline) => Pipeline): Problem {
  return { ...problem, pipeline: change(problem.pipeline) };
}

/** The cheapest plan, whatever it is good for. */
function cheapest(problem: Problem): Problem {
  const weights = { accuracy: 0, cost: 1, batch: 0, switch: 0 };
  return withPipeline(problem, pipeline => ({
    ...pipeline,
    objective: { ...pipeline.objective, weights },
    stages: pipeline.stages.map(stage => ({ ...stage, replicas: { min: 1, max: Math.min(5, stage.replicas.max) } })),
  }));
}

function relaxations(problem: Problem): Problem[] {
  const { maxCores: _cores, ...withoutCores } = problem.pipeline.objective;
  const { maxCostPerHour: _cost, ...withoutCost } = problem.pipeline.objective;
  const { minAccuracy: _accuracy, ...withoutAccuracy } = problem.pipeline.objective;
  const objectives = [withoutCores, withoutCost, withoutAccuracy];
  return [
    { ...problem, excluded: {} },
    { ...problem, limits: { ...problem.limits, cores: null } },
    ...objectives.map(objective => withPipeline(problem, pipeline => ({ ...pipeline, objective }))),
    moreReplicas(problem),
  ];
}

/** The fewest replicas stay; so do pinned ones, as a pin above the most would mean more of them. */
function moreReplicas(problem: Problem): Problem {
  if (problem.pins.some(pin => pin.replicas !== null)) return problem;
  return withPipeline({ ...problem, bounds: {} }, pipeline => ({
    ...pipeline,
    stages: pipeline.stages.map(stage => {
      const bounds = problem.bounds[stage.name];
      const most = Math.min(stage.replicas.max, bounds?.max ?? stage.replicas.max);
      const min = Math.min(most, Math.max(stage.replicas.min, bounds?.min ?? 0));
      // A stage that may have no replica at all would need one as soon as it may have some.
      return { ...stage, replicas: { min, max: most === 0 ? 0 : most + 2 } };
    }),
  }));
}

function renamed(name: string): string {
  return `z-${name}`;
}

function renameKeys<T>(record: Readonly<Record<string, T>>, value: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, given]) => [renamed(key), value(given)]));
}

function renameStage(stage: Stage): Stage {
  return {
    ...stage,
    name: renamed(stage.name),
    dependsOn: stage.dependsOn.map(renamed),
    upstream: stage.upstream === null ? null : renamed(stage.upstream),
    defaultVariant: renamed(stage.defaultVariant),
    fanOut: { ...stage.fanOut, byUpstreamVariant: renameKeys(stage.fanOut.byUpstreamVariant, fanOut => fanOut) },
    variants: stage.variants.map(variant => ({ ...variant, name: renamed(variant.name) })),
  };
}

function renameAll(problem: Problem): Problem {
  const { pipeline } = problem;
  const combinations = pipeline.accuracy.combinations.map(combination => ({
    ...combination,
    variants: renameKeys(combination.variants, renamed),
  }));
  return {
    ...problem,
    pipeline: {
      ...pipeline,
      stages: pipeline.stages.map(renameStage),
      accuracy: { ...pipeline.accuracy, combinations },
    },
    current:
      problem.current &&
      renameKeys(problem.current, ({ parts }) => ({
        parts: parts.map(part => ({ ...part, variant: renamed(part.variant) })),
      })),
    corrections: renameKeys(problem.corrections, value => value),
    excluded: renameKeys(problem.excluded, names => names.map(renamed)),
    bounds: renameKeys(problem.bounds, value => value),
    scaling: renameKeys(problem.scaling ?? {}, value => value),
    pins: problem.pins.map(pin => ({
      ...pin,
      stage: renamed(pin.stage),
      variant: pin.variant === null ? null : renamed(pin.variant),
    })),
  };
}

function renameStages(stages: readonly StagePlan[]): StagePlan[] {
  return stages.map(stage => ({
    ...stage,
    stage: renamed(stage.stage),
    parts: stage.parts.map(part => ({ ...part, variant: renamed(part.variant) })),
  }));
}

describe("optimize(), whatever the problem", () => {
  it("gives a plan whose numbers make sense", () => {
    fc.assert(
      fc.property(smallProblem, problem => {
        const plan = optimize(problem);
        assertSane(plan);
        assert.equal(plan.reasons[0], plan.feasible ? "optimal" : "infeasible");
        assert.equal(plan.shedRps > 0 && plan.feasible, false);
        if (plan.feasible) assert.ok(plan.latencyMs <= problem.pipeline.slo.latencyMs);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps pins and exclusions where that is possible", () => {
    fc.assert(
      fc.property(smallProblem, problem => {
        const plan = optimize(problem);
        if (!plan.feasible) return;
        for (const stage of plan.stages) {
          for (const part of stage.parts) {
            assert.ok(!problem.excluded[stage.stage]?.includes(part.variant));
            for (const pin of problem.pins.filter(given => given.stage === stage.stage)) {
              assert.ok(pin.variant === null || pin.variant === part.variant);
              assert.ok(pin.batch === null || pin.batch === part.batch);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never gets cheaper when the load rises", () => {
    let compared = 0;
    fc.assert(
      fc.property(smallProblem, fc.double({ min: 1, max: 3, noNaN: true }), (given, factor) => {
        const problem = cheapest({ ...given, rateRps: Math.max(1, given.rateRps) });
        const [low, high] = [optimize(problem), optimize({ ...problem, rateRps: problem.rateRps * factor })];
        if (!high.feasible) return;
        compared++;
        assert.equal(low.feasible, true);
        assert.ok(low.cores <= high.cores, `${low.cores} cores at ${low.rateRps}, ${high.cores} at ${high.rateRps}`);
      }),
      { numRuns: 400, seed: 20_260 },
    );
    assert.ok(compared > 80, `${compared}`);
  });

  it("never gets worse when a limit is relaxed", () => {
    fc.assert(
      fc.property(smallProblem, given => {
        // An HPA that is held at its maximum gets away from a count that it could not leave otherwise.
        const problem = { ...given, scaling: {} };
        const plan = optimize(problem);
        if (!plan.feasible) return;
        for (const relaxed of relaxations(problem)) {
          const better = optimize(relaxed);
          assert.equal(better.feasible, true);
          assert.ok(better.objective >= plan.objective - 1e-9, `${better.objective} below ${plan.objective}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never loses accuracy when the budget rises", () => {
    fc.assert(
      fc.property(
        plainProblem,
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        (given, cores, more) => {
          const weights = { accuracy: 1, cost: 0, batch: 0, switch: 0 };
          const objective = { ...given.pipeline.objective, policy: "ipa" as const, weights };
          const at = (maxCores: number) =>
            optimize({ ...given, scaling: {}, pipeline: { ...given.pipeline, objective: { ...objective, maxCores } } });
          const [tight, wide] = [at(cores), at(cores + more)];
          if (!tight.feasible) return;
          assert.equal(wide.feasible, true);
          assert.ok(wide.accuracy >= tight.accuracy - 1e-9, `${wide.accuracy} below ${tight.accuracy}`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("never loses effective accuracy when the budget rises, where latency is a distribution", () => {
    let compared = 0;
    fc.assert(
      fc.property(
        smallProblem,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        (given, cores, more) => {
          const weights = { accuracy: 1, cost: 0, batch: 0, switch: 0 };
          const objective = { ...given.pipeline.objective, policy: "default" as const, weights };
          const at = (maxCores: number) =>
            optimize({ ...given, scaling: {}, pipeline: { ...given.pipeline, objective: { ...objective, maxCores } } });
          const [tight, wide] = [at(cores), at(cores + more)];
          if (!tight.feasible) return;
          compared++;
          assert.equal(wide.feasible, true);
          assert.ok(
            wide.effectiveAccuracy >= tight.effectiveAccuracy - 1e-9,
            `${wide.effectiveAccuracy}, ${tight.effectiveAccuracy}`,
          );
        },
      ),
      { numRuns: 200 },
    );
    assert.ok(compared > 30, `${compared}`);
  });

  it("does not depend on names", () => {
    fc.assert(
      fc.property(smallProblem, problem => {
        const plan = optimize(problem);
        const again = optimize(renameAll(problem));
        assert.deepEqual(again.stages, renameStages(plan.stages));
        assert.equal(again.objective, plan.objective);
        assert.equal(again.binding, plan.binding);
      }),
      { numRuns: 300 },
    );
  });

  it("answers the same question the same way", () => {
    fc.assert(
      fc.property(smallProblem, problem => assert.deepEqual(optimize(problem), optimize(problem))),
      { numRuns: 50 },
    );
  });
});

describe("optimize(), given hostile numbers", () => {
  const factor = fc.constantFrom(1e-300, 1e-9, 1e-3, 1, 1e3, 1e9);
  const rate = fc.constantFrom(0, 1e-9, 1, 1e3, 1e7, 1e300, Number.NaN, Number.POSITIVE_INFINITY, -1);
  const hostile = fc.tuple(smallProblem, rate, factor, factor, fc.constantFrom(0, 1, 10_000)).map(
    ([problem, rateRps, service, slo, maxReplicas]): Problem => ({
      ...withPipeline(problem, pipeline => ({
        ...pipeline,
        slo: { ...pipeline.slo, latencyMs: Math.min(1e7, 100 * slo) },
        stages: pipeline.stages.map(stage => ({
          ...stage,
          replicas: { min: 0, max: maxReplicas },
          variants: stage.variants.map(variant => ({
            ...variant,
            profile: variant.profile && {
              ...variant.profile,
              points: variant.profile.points.map(point => ({ ...point, latencyMs: point.latencyMs * service })),
            },
          })),
        })),
      })),
      rateRps,
    }),
  );

  it("gives a finite plan and evaluates it, without an exception", () => {
    fc.assert(
      fc.property(hostile, problem => {
        const plan = optimize(problem);
        assertSane(plan);
        assertSane(evaluate(problem, Object.fromEntries(plan.stages.map(({ stage, parts }) => [stage, { parts }]))));
        const parts = [{ variant: "v9", batch: Number.NaN, replicas: -1, share: Number.NaN }];
        assertSane(evaluate(problem, { s0: { parts } }));
      }),
      { numRuns: 400 },
    );
  });

  it("gives finite plans for what is no number, or too large for one", () => {
    const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -1, 0];
    const shapes = ["s0", "s1"].map(name => ({
      name,
      variants: [
        { name: "v0", accuracy: 0.8, latencyMs: { 1: 10, 4: 20 } },
        { name: "v1", accuracy: 0.9, latencyMs: { 1: 30 } },
      ],
    }));
    const problem = problemOf(pipelineOf({ stages: shapes }), 20);
    for (const a of numbers)
      for (const b of numbers) {
        const changes: Partial<Problem>[] = [
          { bounds: { s0: { min: a, max: b } } },
          { limits: { cores: a, machineCores: b } },
          { pins: [{ stage: "s0", variant: null, batch: a, replicas: b }] },
          { corrections: { s0: a, s1: b } },
          { othersRps: { s0: a }, recommended: { s1: b } },
        ];
        for (const change of changes) {
          const changed = { ...problem, ...change };
          const plan = optimize(changed);
          assertSane(plan);
          assertSane(evaluate(changed, configurationOf(plan)));
        }
        const parts = [
          { variant: "v0", batch: a, replicas: b, share: a },
          { variant: "__proto__", batch: 1, replicas: 1, share: b },
        ];
        for (const given of [parts, parts.toReversed(), parts.slice(1)])
          for (const [key, value] of Object.entries(evaluate(problem, { s0: { parts: given } })))
            if (typeof value === "number") assert.ok(Number.isFinite(value), `${key}: ${value}`);
      }
  });

  it("sheds everything where no replica is allowed", () => {
    const stage = { name: "s0", replicas: { min: 0, max: 10 }, variants: [{ name: "v0", latencyMs: { 1: 10 } }] };
    const problem = problemOf(pipelineOf({ stages: [stage] }), 10, { bounds: { s0: { min: 0, max: 0 } } });
    const plan = optimize(problem);
    assertSane(plan);
    assert.equal(plan.feasible, false);
    assert.equal(plan.shedRps, 10);
    assert.equal(plan.cores, 0);
  });

  it("needs no replica without load where none is the least", () => {
    const stage = { name: "s0", replicas: { min: 0, max: 10 }, variants: [{ name: "v0", latencyMs: { 1: 10 } }] };
    const plan = optimize(problemOf(pipelineOf({ stages: [stage] }), 0));
    assert.equal(plan.feasible, true);
    assert.equal(plan.cores, 0);
  });

  it("stops early on a problem that is too large, with a proven bound", function () {
    this.timeout(300_000);
    const variants = Array.from({ length: 100 }, (_, v) => ({
      name: `v${v}`,
      accuracy: 0.9 + ((v * 7) % 97) / 1000,
      latencyMs: Object.fromEntries(
        Array.from({ length: 16 }, (__, b) => [b + 1, (3 + ((v * 31) % 89) / 9) * (b + 3)]),
      ),
    }));
    const fanOutByUpstreamVariant = Object.fromEntries(
      variants.map(({ name }, v) => [name, 0.5 + ((v * 13) % 101) / 100]),
    );
    const stages = Array.from({ length: 32 }, (_, s) => ({
      name: `s${s}`,
      replicas: { min: 0, max: 10_000 },
      variants,
      ...(s > 0 ? { fanOutByUpstreamVariant } : {}),
    }));
    const problem = problemOf(pipelineOf({ stages, sloMs: 2_000 }), 100);
    const plan = optimize(problem);
    assertSane(plan);
    assert.equal(plan.optimal, false);
    assert.ok(plan.gap > 0);
  });
});
