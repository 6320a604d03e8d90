import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Ablation } from "../../simulator/sim-control.ts";
import { simulate } from "../../simulator/simulation.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { PROMPT, poissonLoad, scenario } from "./scenario.ts";

const STEADY_SECONDS = 180;
const RISE_SECONDS = 13;

/** Requests not answered in time of a load that rises threefold at `second`, where HPAs look every 15 s and pods start in 8. */
function violatedFrom(second: number, without: readonly Ablation[]): number {
  const pipeline = pipelineFixture(
    [{ name: "classify", ladder: { only: [100, 0.9] }, replicas: { min: 1, max: 40 } }],
    { slo: { latencyMs: 800, quantile: 0.95 } },
  );
  const rateAt = (at: number) => 30 + 60 * Math.min(1, Math.max(0, (at - second) / RISE_SECONDS));
  const cluster = { ...PROMPT, syncMs: 15_000, podStartMs: 8000 };
  const { windows } = simulate(scenario(pipeline, poissonLoad(second + 60, rateAt), { cluster, without }));
  return windows.reduce((sum, { late, dropped, lost }) => sum + late + dropped + lost, 0);
}

describe("simulate(): a load that rises threefold within seconds, out of a steady one", () => {
  it("violates at least a tenth less with replicas for what the load goes on to, whenever the HPA looks", () => {
    const seconds = Array.from({ length: 15 }, (_, phase) => STEADY_SECONDS + phase);
    const sum = (without: readonly Ablation[]) =>
      seconds.reduce((total, second) => total + violatedFrom(second, without), 0);
    const [whole, blind] = [sum([]), sum(["rise"])];
    assert.ok(whole < 0.9 * blind, `${whole} against ${blind}`);
  });
});
