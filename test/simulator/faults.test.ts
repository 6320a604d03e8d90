import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Fault } from "../../simulator/faults.ts";
import { simulate } from "../../simulator/simulation.ts";
import type { SimulationOptions } from "../../simulator/simulation-run.ts";
import { summarise } from "../../simulator/summary.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { PROMPT, poissonLoad, scenario } from "./scenario.ts";

/** One variant: only counts can follow a load. */
const SINGLE = pipelineOf({
  sloMs: 500,
  stages: [
    {
      name: "a",
      variants: [{ name: "v", accuracy: 1, latencyMs: { 1: 40 }, cores: 2 }],
      replicas: { min: 1, max: 20 },
    },
  ],
});
const PIPELINE = {
  ...SINGLE,
  scaleDownMs: 10_000,
  stages: SINGLE.stages.map(stage => ({ ...stage, cores: 2 })),
};

function windowsOf(
  faults: readonly Fault[],
  rateAt: (second: number) => number,
  more: Partial<SimulationOptions> = {},
) {
  const load = poissonLoad(400, rateAt);
  const { windows } = simulate(scenario(PIPELINE, load, { warmUpSeconds: 0, faults, ...more }));
  const at = (second: number) => windows[second / 10] as (typeof windows)[number];
  return {
    ready: (second: number) => at(second).stages[0]?.ready ?? 0,
    desired: (second: number) => at(second).stages[0]?.desired ?? 0,
    forecastRps: (second: number) => at(second).forecastRps,
    outcomes: windows.map(({ offered, inTime, late, dropped, lost }) => ({
      offered,
      ended: inTime + late + dropped + lost,
    })),
  };
}

const RISING = (second: number): number => (second < 120 ? 5 : 60);

describe("faults of a simulation", () => {
  it("keeps counts while the scaler is down, and follows when it is back", () => {
    const { ready } = windowsOf([{ kind: "scalerDown", fromSecond: 110, seconds: 60 }], RISING);
    const whole = windowsOf([], RISING);
    assert.ok(whole.ready(150) >= 4, `${whole.ready(150)}`);
    assert.equal(ready(150), ready(100));
    assert.ok(ready(200) >= 4, `${ready(200)}`);
  });

  it("keeps the last plan while monitoring is silent, and plans again when it speaks", () => {
    const { ready, desired } = windowsOf([{ kind: "monitoringSilent", fromSecond: 110, seconds: 100 }], RISING);
    assert.equal(desired(190), desired(100));
    assert.ok(ready(250) >= 4, `${ready(250)}`);
  });

  it("moves no count while the HPA is stuck", () => {
    const { desired } = windowsOf([{ kind: "hpaStuck", fromSecond: 110, seconds: 60 }], RISING);
    assert.equal(desired(150), desired(100));
    assert.ok(desired(220) >= 4, `${desired(220)}`);
  });

  it("loses a node with its pods, starts them elsewhere as far as there is room, and uses it again", () => {
    const nodes = { count: 2, cores: 4 };
    const cluster = { ...PROMPT, nodes };
    const fault = { kind: "nodeLost", fromSecond: 200, seconds: 100 } as const;
    const { ready, desired } = windowsOf([fault], () => 70, { cluster });
    assert.equal(ready(180), 4);
    assert.equal(ready(250), 2);
    assert.ok(desired(250) > 2, `${desired(250)}`);
    assert.equal(ready(350), 4);
  });

  it("gives every request one outcome through all of it", () => {
    const cluster = { ...PROMPT, nodes: { count: 3, cores: 6 }, podStartMs: 5000 };
    const { outcomes } = windowsOf(
      [
        { kind: "nodeLost", fromSecond: 100, seconds: 60 },
        { kind: "nodeLost", fromSecond: 130, seconds: 60 },
        { kind: "hpaStuck", fromSecond: 180, seconds: 40 },
        { kind: "scalerDown", fromSecond: 250, seconds: 40 },
        { kind: "monitoringSilent", fromSecond: 320, seconds: 40 },
      ],
      () => 60,
      { cluster, killEveryMs: 17_000 },
    );
    for (const { offered, ended } of outcomes) assert.equal(ended, offered);
  });

  it("can leave out making before breaking", () => {
    const two = pipelineOf({
      sloMs: 400,
      // With a ladder replicas make up for it by themselves.
      serving: { rule: "fixed" },
      stages: [
        {
          name: "a",
          variants: [
            { name: "light", accuracy: 0.7, latencyMs: { 1: 5 } },
            { name: "heavy", accuracy: 0.9, latencyMs: { 1: 60 } },
          ],
          replicas: { min: 1, max: 4 },
        },
      ],
    });
    const cluster = { ...PROMPT, syncMs: 15_000, podStartMs: 10_000 };
    const violationsIn = (without: SimulationOptions["without"] & object): number => {
      const load = poissonLoad(300, second => (second % 100 > 60 ? 60 : 20));
      const { windows } = simulate(scenario(two, load, { without, cluster }));
      return windows.reduce((sum, { late, dropped, lost }) => sum + late + dropped + lost, 0);
    };
    const [making, breaking] = [violationsIn([]), violationsIn(["makeBeforeBreak"])];
    assert.ok(breaking > making, `${breaking} against ${making}`);
  });

  it("can leave out the measured combinations, which requests are counted by all the same", () => {
    const stage = (name: string) => ({
      name,
      variants: [
        { name: "light", accuracy: 0.8, latencyMs: { 1: 5 } },
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 10 } },
      ],
      replicas: { min: 1, max: 4 },
    });
    const names = ["light", "heavy"];
    // Against all that the stages are by themselves, the light ones do best together.
    const combinations = names.flatMap(a =>
      names.map(b => ({ variants: { a, b }, accuracy: a === "light" && b === "light" ? 0.95 : 0.6 })),
    );
    const pipeline = pipelineOf({ stages: [stage("a"), stage("b")], combinations });
    const accuracyOf = (without: SimulationOptions["without"] & object): number => {
      const load = poissonLoad(120, () => 10);
      return summarise(simulate(scenario(pipeline, load, { without }))).accuracy;
    };
    assert.ok(Math.abs(accuracyOf([]) - 0.95) < 0.01, `${accuracyOf([])}`);
    assert.ok(Math.abs(accuracyOf(["tables"]) - 0.6) < 0.01, `${accuracyOf(["tables"])}`);
  });

  it("can leave out the calibration", () => {
    const forecastsOf = (without: SimulationOptions["without"] & object) => {
      const load = poissonLoad(600, second => (second % 50 < 10 ? 80 : 10));
      return simulate(scenario(PIPELINE, load, { without })).windows.map(({ forecastRps }) => forecastRps);
    };
    assert.notDeepEqual(forecastsOf(["calibration"]), forecastsOf([]));
  });
});
