import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { decide } from "../../control/decide.ts";
import type { Configuration } from "../../domain/configuration.ts";
import { configurationOf } from "../../domain/plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { type Ladder, pipelineFixture } from "../support/pipeline-fixture.ts";

const one = (variant: string, replicas: number): Configuration => ({
  detect: { parts: [{ variant, batch: 1, replicas, share: 1 }] },
});

function problem(ladder: Ladder, change: Partial<Problem> = {}, replicas = { min: 1, max: 8 }): Problem {
  return {
    pipeline: pipelineFixture([{ name: "detect", ladder, replicas }]),
    rateRps: 10,
    current: null,
    corrections: {},
    excluded: {},
    pins: [],
    limits: { cores: null, machineCores: null },
    bounds: {},
    ...change,
  };
}

const steady = (rateRps: number) => ({ nowRps: rateRps, sustainedRps: rateRps, steadyRps: null });
const chosen = (decision: ReturnType<typeof decide>) => decision?.plan.stages[0]?.parts[0];

describe("decide()", () => {
  it("takes the best plan when there is none yet", () => {
    const decision = decide(problem({ heavy: [20, 0.9] }), steady(10));
    assert.deepEqual(decision?.plan, optimize(problem({ heavy: [20, 0.9] })));
  });

  it("keeps the current variant, with the replicas that it needs, where another is better by less than the hysteresis", () => {
    // Beside the 0.002 that the switch itself costs.
    const near = problem({ old: [20, 0.9], better: [20, 0.9035] }, { rateRps: 100, current: one("old", 1) });
    const decision = decide(near, steady(100));
    assert.equal(chosen(decision)?.variant, "old");
    assert.ok((chosen(decision)?.replicas ?? 0) >= 3);
    assert.ok(decision?.reasons.includes("held_hysteresis"));
    const far = problem({ old: [20, 0.9], better: [20, 0.9045] }, { rateRps: 100, current: one("old", 1) });
    assert.equal(chosen(decide(far, steady(100)))?.variant, "better");
  });

  it("says what it was held against, and what that would have gained", () => {
    const near = problem({ old: [20, 0.9], better: [20, 0.9035] }, { current: one("old", 1) });
    const decision = decide(near, steady(10));
    assert.equal(decision?.plan.runnerUp?.stages[0]?.parts[0]?.variant, "better");
    const gain = (decision?.plan.runnerUp?.objective ?? 0) - (decision?.plan.objective ?? 0);
    assert.ok(gain > 0 && Math.abs(gain - (decision?.plan.gap ?? 0)) < 1e-9);
    assert.equal(decision?.plan.optimal, false);
  });

  it("leaves a variant that is in quarantine, or that a pin forbids, whatever the gain", () => {
    const ladder = { old: [20, 0.9], other: [20, 0.5] } as const;
    const excluded = problem(ladder, { current: one("old", 1), excluded: { detect: ["old"] } });
    assert.equal(chosen(decide(excluded, steady(10)))?.variant, "other");
    const pin = { stage: "detect", variant: "other", batch: null, replicas: null };
    assert.equal(
      chosen(decide(problem(ladder, { current: one("old", 1), pins: [pin] }), steady(10)))?.variant,
      "other",
    );
  });

  it("holds the variants of other stages against a small gain while an operator's variant is kept", () => {
    const near = { old: [20, 0.9], better: [20, 0.9035] } as const;
    const pipeline = pipelineFixture([
      { name: "detect", ladder: near },
      { name: "read", ladder: near },
    ]);
    const current = { ...one("old", 1), read: { parts: [{ variant: "old", batch: 1, replicas: 1, share: 1 }] } };
    const pins = [{ stage: "detect", variant: "old", batch: null, replicas: null }];
    const decision = decide({ ...problem(near), pipeline, current, pins }, steady(10));
    assert.deepEqual(
      decision?.plan.stages.map(stage => stage.parts[0]?.variant),
      ["old", "old"],
    );
  });

  it("keeps an operator's batch and replicas while it keeps the variant", () => {
    const pin = { stage: "detect", variant: null, batch: 2, replicas: 4 };
    const near = problem({ old: [20, 0.9], better: [20, 0.9035] }, { current: one("old", 1), pins: [pin] });
    const part = chosen(decide(near, steady(10)));
    assert.deepEqual([part?.variant, part?.batch, part?.replicas], ["old", 2, 4]);
  });

  it("keeps replicas for a gain below the hysteresis too", () => {
    const free = problem({ only: [20, 0.9] }, { current: one("only", 1) });
    const cheap = { ...free.pipeline.objective, weights: { ...free.pipeline.objective.weights, cost: 0.0005 } };
    const current = one("only", 3);
    const pipeline = { ...free.pipeline, objective: cheap };
    const kept = decide({ ...free, pipeline, current }, steady(10));
    assert.equal(chosen(kept)?.replicas, 3);
    assert.equal(chosen(decide({ ...free, current }, steady(10)))?.replicas, 1);
  });

  it("plans freely for a stage that the current configuration leaves out", () => {
    const stages = [
      { name: "detect", ladder: { heavy: [20, 0.9], light: [5, 0.89] } as const },
      { name: "read", ladder: { heavy: [20, 0.9], light: [5, 0.4] } as const },
    ];
    const pipeline = pipelineFixture(stages);
    const decision = decide({ ...problem({ x: [1, 1] }), pipeline, current: one("light", 1) }, steady(10));
    assert.deepEqual(
      decision?.plan.stages.map(stage => stage.parts[0]?.variant),
      optimize({ ...problem({ x: [1, 1] }), pipeline, current: one("light", 1) }).stages.map(s => s.parts[0]?.variant),
    );
  });

  const heavyLight = { heavy: [50, 0.95], light: [10, 0.9] } as const;
  /** One replica of the heavy variant: 15 rps at 75 %, 20 at most. */
  const overrun = (rateRps: number) => problem(heavyLight, { rateRps, current: one("heavy", 1) }, { min: 1, max: 1 });

  it("waits an excursion out that the current variants live through", () => {
    assert.equal(decide(overrun(16), { nowRps: 16, sustainedRps: 12, steadyRps: null }), null);
  });

  it("does not wait where it would answer fewer right and in time, or where nothing is left", () => {
    for (const nowRps of [18.9, 19.5, 60])
      assert.equal(
        chosen(decide(overrun(nowRps), { nowRps, sustainedRps: 12, steadyRps: null }))?.variant,
        "light",
        String(nowRps),
      );
  });

  it("does not wait next to the limit, however bad the lighter variants are", () => {
    const ladder = { heavy: [50, 0.95], light: [10, 0.1] } as const;
    const near = problem(ladder, { rateRps: 19.2, current: one("heavy", 1) }, { min: 1, max: 1 });
    assert.equal(chosen(decide(near, { nowRps: 19.2, sustainedRps: 12, steadyRps: null }))?.variant, "light");
    assert.equal(decide(near, { nowRps: 18.8, sustainedRps: 12, steadyRps: null }), null);
  });

  it("does not wait for what is asked for all the time", () => {
    assert.equal(chosen(decide(overrun(16), steady(16)))?.variant, "light");
  });

  it("changes to heavier variants in a dip of a steady load only where they would hold and be better at its level too", () => {
    const dip = problem(heavyLight, { rateRps: 13, current: one("light", 1) }, { min: 1, max: 1 });
    assert.equal(chosen(decide(dip, steady(13)))?.variant, "heavy");
    for (const { steadyRps, variant } of [
      { steadyRps: 12, variant: "heavy" },
      { steadyRps: 13.5, variant: "heavy" },
      { steadyRps: 16.5, variant: "light" },
    ])
      assert.equal(chosen(decide(dip, { ...steady(13), steadyRps }))?.variant, variant, String(steadyRps));
    const reasons = decide(dip, { ...steady(13), steadyRps: 16.5 })?.reasons ?? [];
    assert.ok(reasons.includes("held_steady") && !reasons.includes("held_hysteresis"), reasons.join());
  });

  it("takes what is better where neither would hold at the level of a steady load", () => {
    const ladder = { plain: [50, 0.9], better: [50, 0.95] } as const;
    const near = problem(ladder, { rateRps: 13, current: one("plain", 1) }, { min: 1, max: 1 });
    for (const steadyRps of [null, 13.5, 40])
      assert.equal(chosen(decide(near, { ...steady(13), steadyRps }))?.variant, "better", String(steadyRps));
  });

  it("takes a configuration of other stages for none", () => {
    const current: Configuration = { gone: { parts: [{ variant: "x", batch: 1, replicas: 1, share: 1 }] } };
    const decision = decide(problem({ only: [20, 0.9] }, { current }), steady(10));
    assert.deepEqual(configurationOf(decision!.plan), one("only", 1));
  });
});
