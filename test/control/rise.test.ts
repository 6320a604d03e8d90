import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { decide } from "../../control/decide.ts";
import { risenRps, withRise } from "../../control/rise.ts";
import { replicasOf } from "../../domain/configuration.ts";
import type { Plan } from "../../domain/plan.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { problemOf } from "../optimizer/problems.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { certain } from "./story.ts";

const RATE_RPS = 10;
/** Lighter variants are best for it. */
const RISEN_RPS = 80;

function decisionFor(change: Partial<Problem> = {}) {
  const problem = { ...problemOf(twoStages(), RATE_RPS), ...change };
  const decision = decide(problem, { nowRps: RATE_RPS, sustainedRps: RATE_RPS, steadyRps: null });
  assert.ok(decision);
  return { problem, decision };
}

const served = ({ stages }: Plan) => stages.map(({ parts }) => parts.map(({ variant, batch }) => [variant, batch]));
const counts = ({ stages }: Plan) => stages.map(replicasOf);

describe("risenRps()", () => {
  it("expects of a load that has outrun its forecast that it rises on as it did, and nothing of any other", () => {
    const forecast = { ...certain(10, 0), reactiveRps: 18 };
    assert.equal(risenRps({ ...forecast, riseRps: 9 }, 10), 27);
    assert.equal(risenRps({ ...forecast, riseRps: 9 }, 18), null);
    assert.equal(risenRps({ ...forecast, riseRps: 0 }, 10), null);
    assert.equal(risenRps(forecast, 10), null);
    assert.equal(risenRps({ ...forecast, riseRps: 1e7 }, 10), 1e7);
  });
});

describe("withRise()", () => {
  it("takes the replicas that the same variants and batches need at the rate that the load goes on to", () => {
    const { problem, decision } = decisionFor();
    const { plan, reasons } = withRise(problem, decision, RISEN_RPS);
    assert.notDeepEqual(
      served(optimize({ ...problem, rateRps: RISEN_RPS })),
      served(plan),
      "others would be best there",
    );
    assert.deepEqual(served(plan), served(decision.plan));
    const pins = plan.stages.map(({ stage, parts }) => ({
      stage,
      variant: parts[0]!.variant,
      batch: parts[0]!.batch,
      replicas: null,
    }));
    assert.deepEqual(counts(plan), counts(optimize({ ...problem, rateRps: RISEN_RPS, pins })));
    assert.ok(counts(plan).every((count, s) => count >= counts(decision.plan)[s]!));
    assert.deepEqual([plan.rateRps, plan.feasible, plan.optimal], [RATE_RPS, true, false]);
    assert.ok(reasons.includes("rising") && !reasons.includes("optimal"), reasons.join());
  });

  it("says what it would be without the rise, and what the replicas cost", () => {
    const { problem, decision } = decisionFor();
    const { plan } = withRise(problem, decision, RISEN_RPS);
    assert.deepEqual(plan.runnerUp?.stages, decision.plan.stages);
    assert.ok(plan.gap > 0 && Math.abs(decision.plan.objective - plan.objective - plan.gap) < 1e-9);
  });

  it("goes as far as bounds, limits and operators' counts allow", () => {
    const { problem, decision } = decisionFor();
    const far = withRise(problem, decision, 1000).plan;
    assert.ok(far.feasible);
    assert.ok(counts(far).includes(8), `${counts(far)}`);
    const bounded = decisionFor({ bounds: { detect: { min: 1, max: 2 }, read: { min: 1, max: 3 } } });
    const near = withRise(bounded.problem, bounded.decision, 1000).plan;
    assert.deepEqual(served(near), served(bounded.decision.plan));
    assert.ok(counts(near)[0]! <= 2 && counts(near)[1]! <= 3, `${counts(near)}`);
    const cores = counts(decision.plan).reduce((sum, count) => sum + count, 0);
    const limited = decisionFor({ limits: { cores: cores + 1, machineCores: null } });
    assert.ok(withRise(limited.problem, limited.decision, 1000).plan.cores <= cores + 1);
    const pinned = decisionFor({ pins: [{ stage: "detect", variant: null, batch: null, replicas: 3 }] });
    assert.equal(counts(withRise(pinned.problem, pinned.decision, RISEN_RPS).plan)[0], 3);
  });

  it("takes no replica of a stage away to give another one more, and gives as much of the rise as there is room for", () => {
    const heldAt = (cores: number) => {
      const { problem, decision } = decisionFor({ limits: { cores, machineCores: null } });
      const [detect, read] = decision.plan.stages;
      const four = { parts: [{ ...detect!.parts[0]!, replicas: 4 }] };
      const held = { ...decision, plan: evaluate(problem, { detect: four, read: { parts: read!.parts } }) };
      assert.deepEqual([held.plan.feasible, counts(held.plan)], [true, [4, 2]]);
      assert.equal(withRise(problem, decision, RISEN_RPS).plan.cores, cores, "there is something to give");
      return { problem, held };
    };
    const full = heldAt(6);
    assert.equal(withRise(full.problem, full.held, RISEN_RPS), full.held);
    const { problem, held } = heldAt(7);
    const { plan, reasons } = withRise(problem, held, 1000);
    assert.deepEqual(counts(plan), [4, 3]);
    assert.deepEqual([plan.feasible, plan.runnerUp?.stages], [true, held.plan.stages]);
    assert.ok(reasons.includes("rising"));
  });

  it("leaves a decision as it is where the load goes on to no more, no stage may have more, or none is feasible", () => {
    const { problem, decision } = decisionFor();
    for (const rateRps of [0, RATE_RPS]) assert.equal(withRise(problem, decision, rateRps), decision);
    const full = decisionFor({
      bounds: Object.fromEntries(decision.plan.stages.map(stage => [stage.stage, { min: 1, max: replicasOf(stage) }])),
    });
    assert.equal(withRise(full.problem, full.decision, RISEN_RPS), full.decision);
    const short = decisionFor({ rateRps: 1000 });
    assert.equal(short.decision.plan.feasible, false);
    assert.equal(withRise(short.problem, short.decision, 2000), short.decision);
  });
});
