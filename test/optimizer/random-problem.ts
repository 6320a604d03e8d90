import fc from "fast-check";
import type { Problem } from "../../optimizer/problem.ts";
import { type PipelineShape, pipelineOf, problemOf, type StageShape, type VariantShape } from "./problems.ts";

const share = fc.integer({ min: 0, max: 100 }).map(percent => percent / 100);

function variantShape(name: string): fc.Arbitrary<VariantShape> {
  return fc
    .record({
      accuracy: fc.option(share, { freq: 8, nil: null }),
      baseMs: fc.integer({ min: 1, max: 60 }),
      cores: fc.constantFrom(1, 1, 2, 4),
      fixed: share,
      batches: fc.subarray([1, 2, 4, 8], { minLength: 1, maxLength: 3 }),
      scv: fc.constantFrom(0, 0.02, 0.3, 0.8, 4),
    })
    .map(({ accuracy, baseMs, cores, fixed, batches, scv }) => ({
      name,
      accuracy,
      cores,
      scv,
      latencyMs: Object.fromEntries(batches.map(batch => [batch, baseMs * (fixed + (1 - fixed) * batch)])),
    }));
}

function stageShape(index: number): fc.Arbitrary<StageShape> {
  const factor = fc.constantFrom(0, 0.5, 1, 1, 1, 1, 2, 2.5, 5);
  return fc.record({
    name: fc.constant(`s${index}`),
    variants: fc
      .integer({ min: 2, max: 3 })
      .chain(count => fc.tuple(...Array.from({ length: count }, (_, v) => variantShape(`v${v}`)))),
    cores: fc.constantFrom(0.5, 1, 2),
    costPerHour: fc.constantFrom(null, 0.1, 1, 2),
    replicas: fc
      .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 6 }))
      .map(([min, more]) => ({ min, max: Math.max(1, min + more) })),
    recovery: fc.constantFrom(0, 0, 0.2, 0.9),
    fanOut: factor,
    fanOutByUpstreamVariant: index === 0 ? fc.constant({}) : fc.dictionary(fc.constantFrom("v0", "v1"), factor),
  });
}

/** A stage that waits for any stages before it. */
function graphStageShape(index: number): fc.Arbitrary<StageShape> {
  const before = Array.from({ length: index }, (_, s) => `s${s}`);
  return fc
    .tuple(stageShape(index), fc.shuffledSubarray(before))
    .map(([shape, dependsOn]): StageShape => ({ ...shape, dependsOn }));
}

export const pipelineShape: fc.Arbitrary<PipelineShape> = fc.integer({ min: 1, max: 3 }).chain(count =>
  fc.record({
    stages: fc.oneof(
      { weight: 2, arbitrary: fc.tuple(...Array.from({ length: count }, (_, s) => stageShape(s))) },
      { weight: 1, arbitrary: fc.tuple(...Array.from({ length: count }, (_, s) => graphStageShape(s))) },
    ),
    method: fc.constantFrom("table", "table", "table", "markov", "product", "rankSum"),
    sloMs: fc.integer({ min: 5, max: 800 }),
    quantile: fc.constantFrom(0.5, 0.9, 0.95, 0.99),
    objective: fc.record(
      {
        weights: fc.record({
          accuracy: fc.constantFrom(0, 1, 1, 10),
          cost: fc.constantFrom(0, 0.005, 0.05),
          batch: fc.constantFrom(0, 1e-6),
          switch: fc.constantFrom(0, 0.002, 0.1),
        }),
        minAccuracy: share,
        maxCores: fc.integer({ min: 3, max: 30 }),
        maxCostPerHour: fc.integer({ min: 3, max: 30 }),
        utilisation: fc.constantFrom(0.5, 0.75, 0.95),
        balancing: fc.constantFrom("leastWork", "random"),
        podShape: fc.constantFrom("stage", "variant"),
      },
      { requiredKeys: ["weights"] },
    ),
    overhead: fc.record({ latencyMs: fc.constantFrom(0, 3), cpuMs: fc.constantFrom(0, 1) }),
    combinations: fc.array(
      fc.record({
        variants: fc
          .tuple(...Array.from({ length: count }, () => fc.constantFrom("v0", "v1", "v2")))
          .map(names => Object.fromEntries(names.map((name, s) => [`s${s}`, name]))),
        accuracy: share,
      }),
      { maxLength: 8 },
    ),
  }),
);

/** Small problems of every kind: fan-out by variant, limits, pins, exclusions, a current configuration. */
export const smallProblem: fc.Arbitrary<Problem> = pipelineShape.chain(shape => {
  const stages = shape.stages.map(stage => stage.name);
  const variant = fc.constantFrom("v0", "v1", "v2");
  return fc
    .record({
      rateRps: fc.oneof(fc.constantFrom(0, 400), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 20 })),
      current: fc.option(
        fc
          .tuple(...stages.map(() => variant))
          .map(names =>
            Object.fromEntries(
              names.map((name, s) => [`s${s}`, { parts: [{ variant: name, batch: 1, replicas: 1, share: 1 }] }]),
            ),
          ),
      ),
      corrections: fc.dictionary(fc.constantFrom(...stages), fc.constantFrom(0.1, 0.7, 1, 1.5, 9)),
      excluded: fc.dictionary(fc.constantFrom(...stages), fc.subarray(["v0", "v1", "v2"], { maxLength: 1 }), {
        maxKeys: 1,
      }),
      pins: fc.array(
        fc.record({
          stage: fc.constantFrom(...stages),
          variant: fc.option(variant),
          batch: fc.option(fc.constantFrom(1, 3)),
          replicas: fc.option(fc.integer({ min: 1, max: 4 })),
        }),
        { maxLength: 1 },
      ),
      limits: fc.record({
        cores: fc.option(fc.integer({ min: 1, max: 20 }), { freq: 1 }),
        machineCores: fc.option(fc.integer({ min: 1, max: 8 }), { freq: 1 }),
      }),
      bounds: fc.dictionary(
        fc.constantFrom(...stages),
        fc.record({ min: fc.integer({ min: 0, max: 2 }), max: fc.integer({ min: 0, max: 5 }) }),
        { maxKeys: 1 },
      ),
      scaling: fc.dictionary(
        fc.constantFrom(...stages),
        fc.record({
          current: fc.integer({ min: 0, max: 6 }),
          toleranceUp: fc.constantFrom(0, 0.1, 0.5),
          toleranceDown: fc.constantFrom(0, 0.1, 0.5),
          max: fc.constant(Number.POSITIVE_INFINITY),
        }),
        { maxKeys: 1 },
      ),
    })
    .map(({ rateRps, ...more }) => problemOf(pipelineOf(shape), rateRps, more));
});

/** The same problems for the policies whose latencies are plain numbers. */
export const plainProblem: fc.Arbitrary<Problem> = fc
  .tuple(smallProblem, fc.constantFrom("ipa", "ipa", "ipa", "infaas", "cocktail", "fa2Low", "fa2High", "rim"))
  .map(([problem, policy]): Problem => {
    const objective = { ...problem.pipeline.objective, policy };
    return { ...problem, pipeline: { ...problem.pipeline, objective } };
  });

/**
 * Problems with many options that hardly differ: replicas are needed for latency as well as for load, the SLO is near the service
 * time, and a core costs about what it gains.
 */
export const busyProblem: fc.Arbitrary<Problem> = fc
  .record({
    baseMs: fc.array(fc.integer({ min: 4, max: 40 }), { minLength: 2, maxLength: 3 }),
    fixed: fc.integer({ min: 30, max: 90 }).map(percent => percent / 100),
    rows: fc.constantFrom(1, 3, 6),
    slower: fc.constantFrom(1.2, 2),
    rateRps: fc.integer({ min: 5, max: 60 }),
    slack: fc.integer({ min: 12, max: 40 }).map(tenths => tenths / 10),
    cost: fc.constantFrom(0.0005, 0.002, 0.01),
    quantile: fc.constantFrom(0.9, 0.95, 0.99),
    maxCores: fc.option(fc.integer({ min: 4, max: 30 }), { nil: undefined }),
  })
  .map(({ baseMs, fixed, rows, slower, rateRps, slack, cost, quantile, maxCores }) => {
    const batches = baseMs.length === 2 ? [1, 2, 4, 8] : [1, 4];
    const stages = baseMs.map((ms, s): StageShape => {
      const variant = (name: string, accuracy: number, factor: number) => ({
        name,
        accuracy,
        latencyMs: Object.fromEntries(batches.map(batch => [batch, factor * ms * (fixed + (1 - fixed) * batch)])),
      });
      const variants = [variant("light", 0.85, 1), variant("heavy", 0.88 + s / 100, slower)];
      return { name: `s${s}`, variants, replicas: { min: 1, max: 12 }, ...(s > 0 ? { fanOut: rows } : {}) };
    });
    const weights = { accuracy: 1, cost, batch: 1e-6, switch: 0 };
    const sloMs = slack * baseMs.reduce((sum, ms) => sum + ms, 0);
    const objective = maxCores === undefined ? { weights } : { weights, maxCores };
    return problemOf(pipelineOf({ stages, sloMs, quantile, objective }), rateRps);
  });
