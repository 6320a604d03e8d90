import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { withRise } from "../../../control/plans/rise.ts";
import { replicasOf } from "../../../domain/configuration.ts";
import type { Plan } from "../../../domain/plan.ts";
import { evaluate } from "../../../optimizer/evaluate.ts";
import { optimize } from "../../../optimizer/optimize.ts";
import type { Problem } from "../../../optimizer/problem.ts";
import { pipelineOf, problemOf, type StageShape } from "../../optimizer/problems.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

const RATE_RPS = 10;
/** Lighter variants are best for it. */
const RISEN_RPS = 80;

function planFor(change: Partial<Problem> = {}) {
  const problem = { ...problemOf(twoStages(), RATE_RPS), ...change };
  return { problem, best: optimize(problem) };
}

/** Of one variant, which takes batches of one. */
function stage(name: string, latencyMs: number, cores = 1, max = 40): StageShape {
  return {
    name,
    cores,
    replicas: { min: 1, max },
    variants: [{ name: "only", accuracy: 0.9, latencyMs: { 1: latencyMs } }],
  };
}

const served = ({ stages }: Plan) => stages.map(({ parts }) => parts.map(({ variant, batch }) => [variant, batch]));
const counts = ({ stages }: Plan) => stages.map(replicasOf);

describe("withRise()", () => {
  it("takes the replicas that the same variants and batches need at the rate that the load goes on to", () => {
    const { problem, best } = planFor();
    const plan = withRise(problem, best, RISEN_RPS);
    assert.notDeepEqual(
      served(optimize({ ...problem, rateRps: RISEN_RPS })),
      served(plan),
      "others would be best there",
    );
    assert.deepEqual(served(plan), served(best));
    const pins = plan.stages.map(({ stage, parts }) => ({
      stage,
      variant: parts[0]!.variant,
      batch: parts[0]!.batch,
      replicas: null,
    }));
    assert.deepEqual(counts(plan), counts(optimize({ ...problem, rateRps: RISEN_RPS, pins })));
    assert.ok(counts(plan).every((count, s) => count >= counts(best)[s]!));
    assert.deepEqual([plan.rateRps, plan.feasible, plan.optimal], [RATE_RPS, true, false]);
    assert.ok(plan.reasons.includes("rising") && !plan.reasons.includes("optimal"), plan.reasons.join());
  });

  it("says what it would be without the rise, and what the replicas cost", () => {
    const { problem, best } = planFor();
    const plan = withRise(problem, best, RISEN_RPS);
    assert.deepEqual(plan.runnerUp?.stages, best.stages);
    assert.ok(plan.gap > 0 && Math.abs(best.objective - plan.objective - plan.gap) < 1e-9);
  });

  it("goes as far as bounds, limits and operators' counts allow", () => {
    const { problem, best } = planFor();
    const far = withRise(problem, best, 1000);
    assert.ok(far.feasible);
    assert.ok(counts(far).includes(8), `${counts(far)}`);
    const bounded = planFor({ bounds: { detect: { min: 1, max: 2 }, read: { min: 1, max: 3 } } });
    const near = withRise(bounded.problem, bounded.best, 1000);
    assert.deepEqual(served(near), served(bounded.best));
    assert.ok(counts(near)[0]! <= 2 && counts(near)[1]! <= 3, `${counts(near)}`);
    const cores = counts(best).reduce((sum, count) => sum + count, 0);
    const limited = planFor({ limits: { cores: cores + 1, machineCores: null } });
    assert.ok(withRise(limited.problem, limited.best, 1000).cores <= cores + 1);
    const pinned = planFor({ pins: [{ stage: "detect", variant: null, batch: null, replicas: 3 }] });
    assert.equal(counts(withRise(pinned.problem, pinned.best, RISEN_RPS))[0], 3);
  });

  it("takes no replica of a stage away to give another one more, and gives as much of the rise as there is room for", () => {
    const heldAt = (cores: number) => {
      const { problem, best } = planFor({ limits: { cores, machineCores: null } });
      const [detect, read] = best.stages;
      const four = { parts: [{ ...detect!.parts[0]!, replicas: 4 }] };
      const held = evaluate(problem, { detect: four, read: { parts: read!.parts } });
      assert.deepEqual([held.feasible, counts(held)], [true, [4, 2]]);
      assert.equal(withRise(problem, best, RISEN_RPS).cores, cores, "there is something to give");
      return { problem, held };
    };
    const full = heldAt(6);
    assert.equal(withRise(full.problem, full.held, RISEN_RPS), full.held);
    const { problem, held } = heldAt(7);
    const plan = withRise(problem, held, 1000);
    assert.deepEqual(counts(plan), [4, 3]);
    assert.deepEqual([plan.feasible, plan.runnerUp?.stages], [true, held.stages]);
    assert.ok(plan.reasons.includes("rising"));
  });

  interface Rise {
    readonly chosen: readonly [number, number];
    readonly wanted: readonly [number, number];
    /** Cores that the limit leaves. */
    readonly room: number;
    readonly scaling?: NonNullable<Problem["scaling"]>;
  }

  /** Counts of a first and a second stage, as text, after a rise to 160 rps, beside a third that is held with too many. */
  function raised(first: StageShape, second: StageShape, { chosen, wanted, room, scaling = {} }: Rise): string {
    const pipeline = pipelineOf({ stages: [first, second, stage("third", 1, 1, 1000)], sloMs: 5000 });
    const open = problemOf(pipeline, RATE_RPS, { scaling });
    const best = optimize({ ...open, rateRps: 160 });
    assert.deepEqual(counts(best), [...wanted, 1]);
    const limited = { ...open, limits: { cores: best.cores, machineCores: null } };
    const holding = (third: number) => {
      const parts = [...chosen, third].map(replicas => [{ variant: "only", batch: 1, replicas, share: 1 }]);
      return evaluate(limited, Object.fromEntries(pipeline.stages.map(({ name }, s) => [name, { parts: parts[s]! }])));
    };
    const third = best.cores - room - holding(0).cores;
    const plan = holding(third);
    assert.deepEqual([plan.feasible, plan.cores], [true, best.cores - room]);
    const after = withRise(limited, plan, 160);
    assert.deepEqual([after.feasible, counts(after)[2]], [true, third]);
    return counts(after).slice(0, 2).join();
  }

  it("takes a count that the HPA can be brought to where it can't be to the one below", () => {
    const scaling = { first: { current: 10, toleranceUp: 0.1, toleranceDown: 0.1, max: 20 } };
    const to = (room: number) =>
      raised(stage("first", 60), stage("second", 1), { chosen: [10, 1], wanted: [13, 1], room, scaling });
    assert.deepEqual([1, 2].map(to), ["10,1", "12,1"]);
  });

  it("shares what room there is among the stages that lack replicas, however many each lacks", () => {
    const to = (room: number) =>
      raised(stage("first", 8), stage("second", 50), { chosen: [1, 1], wanted: [2, 11], room });
    assert.deepEqual([1, 4, 6, 10].map(to), ["1,2", "1,5", "2,6", "2,10"]);
  });

  it("gives a stage its replicas where there is no room for those of another", () => {
    const to = (room: number) =>
      raised(stage("first", 16, 4), stage("second", 8), { chosen: [1, 1], wanted: [4, 2], room });
    assert.deepEqual([3, 4, 5, 12].map(to), ["1,2", "2,1", "2,2", "3,2"]);
  });

  it("finds the most of hundreds of replicas", () => {
    const to = (room: number) =>
      raised(stage("first", 600, 1, 1000), stage("second", 1), { chosen: [9, 1], wanted: [128, 1], room });
    assert.deepEqual([1, 2, 77, 118].map(to), ["10,1", "11,1", "86,1", "127,1"]);
  });

  it("leaves a plan as it is where the load goes on to no more, no stage may have more, or none is feasible", () => {
    const { problem, best } = planFor();
    for (const rateRps of [0, RATE_RPS]) assert.equal(withRise(problem, best, rateRps), best);
    const full = planFor({
      bounds: Object.fromEntries(best.stages.map(stage => [stage.stage, { min: 1, max: replicasOf(stage) }])),
    });
    assert.equal(withRise(full.problem, full.best, RISEN_RPS), full.best);
    const short = planFor({ rateRps: 1000 });
    assert.equal(short.best.feasible, false);
    assert.equal(withRise(short.problem, short.best, 2000), short.best);
  });
});
