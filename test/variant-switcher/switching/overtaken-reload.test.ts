import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FollowingSwitcher } from "../../support/scaler-stub.ts";
import { until } from "../../support/switcher-harness.ts";

const BATCH_MS = 3000;

describe("a reload that is overtaken while it waits for the running batch", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  /** There is memory for two sessions. */
  beforeEach(async () => {
    const points = [{ batch: 1, latencyMs: BATCH_MS }];
    const variants = ["a", "b"].map(name => ({ driver: "emulated", name, points, memoryMiB: 60_000 }));
    following = await FollowingSwitcher.start(() => ({ variants, memoryMiB: 135_000, modelControl: "explicit" }));
    ({ scaler, switcher } = following);
    scaler.assign(1, { top: "a", floor: "a", batch: 1 });
    await scaler.untilAcked(1);
  });
  afterEach(() => following.close());

  it("leaves room for the variant that is gone to", async () => {
    const answered = switcher.infer([1, 2, 3]);
    // Warming takes as long as a batch: begun in the middle of one, it ends in the middle of the next.
    await sleep(BATCH_MS / 2);
    const reload = switcher.http("/v2/repository/models/affine/load", { method: "POST", body: "{}" });
    const isInSwap = async () =>
      (await switcher.switches()).some(
        ({ cause, steps }) => cause === "reload" && steps.some(({ step }) => step === "swap"),
      );
    await until(isInSwap, "the reload waits for the batch");
    scaler.assign(2, { top: "b", floor: "b", batch: 1 });
    await scaler.untilAcked(2);
    await reload;
    assert.equal((await answered).status, 200);
    assert.equal((await switcher.variants())["b"]?.state, "serving");
    const outcomes = (await switcher.switches()).map(({ to, cause, outcome }) => `${to} ${cause} ${outcome}`);
    assert.deepEqual(outcomes.slice(-2), ["a reload superseded", "b assignment done"]);
  });
});
