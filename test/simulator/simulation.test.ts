import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { ToldOfDrift } from "../../simulator/sim-answers.ts";
import { simulate } from "../../simulator/simulation.ts";
import type { SimulationOptions } from "../../simulator/simulation-run.ts";
import { summarise } from "../../simulator/summary.ts";
import { timelineOf } from "../../simulator/timeline.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { mostServed, PROMPT, poissonLoad, scenario } from "./scenario.ts";

const LADDER = [
  { name: "light", accuracy: 0.7, latencyMs: { 1: 8, 4: 20, 8: 36 } },
  { name: "heavy", accuracy: 0.9, latencyMs: { 1: 40, 4: 120, 8: 230 } },
];

const CHAIN = pipelineOf({
  sloMs: 400,
  stages: [
    { name: "detect", variants: LADDER, replicas: { min: 1, max: 6 } },
    { name: "read", variants: LADDER, replicas: { min: 1, max: 6 }, fanOut: 2.5 },
  ],
});

const summaryOf = (options: SimulationOptions) => summarise(simulate(options));

describe("simulate()", function () {
  this.timeout(300_000);

  it("gives every request that was offered exactly one outcome, whatever happens to the pods", () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer({ min: 0, max: 1e6 }),
          rps: fc.double({ min: 0, max: 120, noNaN: true }),
          killEveryMs: fc.option(fc.integer({ min: 700, max: 20_000 })),
          podStartMs: fc.integer({ min: 0, max: 20_000 }),
          policy: fc.constantFrom("default", "ipa", "reactive", "static", "rim") as fc.Arbitrary<"default">,
          balancing: fc.constantFrom("leastWork", "random") as fc.Arbitrary<"leastWork">,
          nodes: fc.option(fc.record({ count: fc.integer({ min: 1, max: 3 }), cores: fc.integer({ min: 1, max: 4 }) })),
        }),
        ({ seed, rps, killEveryMs, podStartMs, policy, balancing, nodes }) => {
          const pipeline = { ...CHAIN, objective: { ...CHAIN.objective, policy, balancing } };
          const load = poissonLoad(60, second => (second > 40 ? rps : rps / 4), seed);
          const cluster = { ...PROMPT, podStartMs, nodes };
          const found = summaryOf(scenario(pipeline, load, { warmUpSeconds: 0, killEveryMs, cluster, seed }));
          const offered = load.ratesRps.reduce((sum, rate) => sum + rate, 0);
          assert.equal(found.offered, offered);
          assert.equal(found.inTime + found.late + found.dropped + found.lost, offered);
          for (const value of Object.values(found)) assert.ok(value === null || Number.isFinite(value));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("is the same run for the same seed, and another one for another", () => {
    const load = poissonLoad(120, second => 10 + second / 4);
    const text = (seed: number): string =>
      JSON.stringify(simulate(scenario(CHAIN, load, { seed, killEveryMs: 30_000 })));
    assert.equal(text(3), text(3));
    assert.notEqual(text(3), text(4));
  });

  it("serves the heavy variant at low load, the light one at high load, and comes back", () => {
    const load = poissonLoad(300, second => (second >= 100 && second < 200 ? 120 : 2));
    const stages = CHAIN.stages.map(stage => ({ ...stage, replicas: { min: 1, max: 3 } }));
    const { windows } = simulate(
      scenario({ ...CHAIN, stages, slo: { latencyMs: 600, quantile: 0.95 } }, load, { warmUpSeconds: 0 }),
    );
    const served = (second: number) => mostServed(Object.fromEntries(windows[second / 10]?.rows[0] ?? []));
    assert.deepEqual([served(80), served(160), served(290)], ["heavy", "light", "heavy"]);
    const replicas = windows.map(({ stages }) => stages[1]?.ready ?? 0);
    assert.ok((replicas[17] ?? 0) > (replicas[8] ?? 0), replicas.join());
  });

  it("serves what is worth its cores where items drift, as far as answers tell of it", () => {
    const measured = (light: number, heavy: number) => [
      { variants: { detect: "light" }, accuracy: light },
      { variants: { detect: "heavy" }, accuracy: heavy },
    ];
    const alone = pipelineOf({
      sloMs: 400,
      stages: [{ name: "detect", variants: LADDER, replicas: { min: 1, max: 20 } }],
    });
    const pipeline = {
      ...alone,
      accuracy: { ...alone.accuracy, method: "table" as const, combinations: measured(0.7, 0.9) },
    };
    const load = poissonLoad(240, () => 400);
    const servedWith = (told: ToldOfDrift) => {
      const drift = { fromSecond: 100, accuracies: measured(0.004, 0.01), told };
      const rows = timelineOf(simulate(scenario(pipeline, load, { warmUpSeconds: 0, drift })));
      return [8, 22].map(window => [
        mostServed(rows[window]?.stages[0]?.rows ?? {}),
        rows[window]?.accuracy?.toFixed(1),
      ]);
    };
    const before = ["heavy", "0.9"];
    const labelled = (labelDelayMs: number) => ({ kind: "estimates", bias: 0.9, labelShare: 1, labelDelayMs }) as const;
    const isLeft = [before, ["light", "0.0"]];
    const isKept = [before, ["heavy", "0.0"]];
    assert.deepEqual(servedWith({ kind: "nothing" }), isKept, "nobody told");
    assert.deepEqual(servedWith({ kind: "accuracies" }), isLeft, "not worth its cores");
    assert.deepEqual(servedWith({ ...labelled(0), bias: 0, labelShare: 0 }), isLeft, "told right");
    assert.deepEqual(servedWith({ ...labelled(0), labelShare: 0 }), isKept, "told wrong");
    assert.deepEqual(servedWith(labelled(0)), isLeft, "told wrong, and put right by labels");
    assert.deepEqual(servedWith(labelled(135_000)), isKept, "by labels that are still to come");
  });

  it("shows what adaptation is for: more right and in time than the heaviest and the lightest variant for ever", () => {
    const load = poissonLoad(400, second => (second % 200 > 120 ? 60 : 6));
    const withPolicy = (policy: "default" | "static", defaultVariant: string) =>
      summaryOf(
        scenario(
          {
            ...CHAIN,
            serving: { ...CHAIN.serving, rule: policy === "static" ? "fixed" : "ladder" },
            objective: { ...CHAIN.objective, policy },
            stages: CHAIN.stages.map(stage => ({ ...stage, defaultVariant, replicas: { min: 1, max: 3 } })),
          },
          load,
        ),
      );
    const [adaptive, heavy, light] = [
      withPolicy("default", "light"),
      withPolicy("static", "heavy"),
      withPolicy("static", "light"),
    ];
    assert.ok(adaptive.effectiveAccuracy > heavy.effectiveAccuracy + 0.05);
    assert.ok(adaptive.effectiveAccuracy > light.effectiveAccuracy + 0.02);
  });

  it("counts the latency of each stage, of loads of a slow stage and of the gateway", () => {
    const single = pipelineOf({
      sloMs: 1000,
      overhead: { latencyMs: 5, cpuMs: 0 },
      objective: { policy: "static" },
      stages: [
        { name: "a", variants: [{ name: "v", accuracy: 1, latencyMs: { 1: 20 }, scv: 0 }] },
        { name: "b", variants: [{ name: "v", accuracy: 1, latencyMs: { 1: 30 }, scv: 0 }] },
      ],
    });
    const found = summaryOf(
      scenario(
        single,
        poissonLoad(200, () => 0.5),
      ),
    );
    assert.ok(Math.abs((found.p50Ms ?? 0) - 55) < 1, `${found.p50Ms}`);
  });

  it("has nothing to say of loads without requests, and of loads that are not known", () => {
    for (const rate of [0, Number.NaN]) {
      const load = { startMs: 0, ratesRps: new Float64Array(60).fill(rate) };
      const found = summaryOf(scenario(CHAIN, load));
      assert.deepEqual([found.offered, found.violations, found.p99Ms], [0, 0, null]);
    }
  });

  it("pays for the cores of pods from when they have a node until they are gone", () => {
    const fixed = { ...CHAIN, objective: { ...CHAIN.objective, policy: "static" as const } };
    const stages = fixed.stages.map(stage => ({ ...stage, replicas: { min: 2, max: 2 } }));
    const found = summaryOf(
      scenario(
        { ...fixed, stages },
        poissonLoad(90, () => 5),
      ),
    );
    assert.equal(found.cores, 4);
  });
});
