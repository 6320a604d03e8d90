import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { pastOf } from "../../cli/simulate/past.ts";
import { runAll } from "../../cli/simulate/run-all.ts";
import { simulate } from "../../simulator/simulation.ts";
import { timelineOf } from "../../simulator/timeline.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { poissonLoad, scenario } from "../simulator/scenario.ts";
import { openTestModel } from "../support/open-backend.ts";

const PIPELINE = pipelineOf({
  sloMs: 400,
  stages: [
    {
      name: "detect",
      variants: [
        { name: "light", accuracy: 0.7, latencyMs: { 1: 8, 4: 20, 8: 36 } },
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 40, 4: 120, 8: 230 } },
      ],
      replicas: { min: 1, max: 20 },
    },
  ],
});
/** Ten times the rate for a minute of every five. */
const rateAt = (second: number): number => (second % 300 >= 240 ? 100 : 10);
const LOAD = poissonLoad(7500, rateAt);

const textOf = (value: unknown): string => JSON.stringify(value);

describe("runAll()", function () {
  this.timeout(300_000);

  const cases = async (): Promise<readonly SimulationCase[]> => {
    const first = { startMs: LOAD.startMs, ratesRps: LOAD.ratesRps.subarray(0, 7200) };
    const rest = { startMs: LOAD.startMs + 7_200_000, ratesRps: LOAD.ratesRps.slice(7200) };
    const past = await pastOf(first, null);
    const common = { ...scenario(PIPELINE, rest), policy: "default", ownModel: null } as const;
    const other = { ...common, history: past.history.slice(0, -100) };
    return [{ ...common, ...past }, { ...common, ...past, seed: 2 }, common, other, { ...common, ...past }];
  };

  it("gives each case what it gives alone, though a thread has run others before", async () => {
    const all = await cases();
    const results = await runAll(all, 1, () => undefined);
    const model = await openTestModel();
    const alone = all.map(given => textOf(timelineOf(simulate({ ...given, model }))));
    assert.deepEqual(
      results.map(({ timeline }) => textOf(timeline)),
      alone,
    );
    assert.equal(new Set(alone).size, all.length - 1, "what they are given makes a difference");
  });

  it("ends with the signal's reason, and with what a case throws", async () => {
    const all = await cases();
    const reason = new Error("enough");
    const stopping = new AbortController();
    await assert.rejects(
      runAll(all.slice(0, 1), 2, () => stopping.abort(reason), { signal: stopping.signal }),
      reason,
    );
    const wrong = { ...(all[0] as SimulationCase), load: null as never };
    await assert.rejects(
      runAll([wrong], 2, () => undefined),
      TypeError,
    );
  });
});
