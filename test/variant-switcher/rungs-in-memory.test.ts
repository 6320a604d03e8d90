import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FollowingSwitcher } from "../support/scaler-stub.ts";
import { until } from "../support/switcher-harness.ts";

const points = [{ batch: 1, latencyMs: 1 }];

describe("a lighter rung that went to make room", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  /** There is memory for two of three. */
  beforeEach(async () => {
    const variants = ["a", "b", "c"].map(name => ({ driver: "emulated", name, points, memoryMiB: 60_000 }));
    following = await FollowingSwitcher.start(() => ({ variants, memoryMiB: 135_000 }));
    ({ scaler, switcher } = following);
    scaler.assign(1, { top: "a", floor: "b", batch: 1 });
    await scaler.untilAcked(1);
    await untilResident();
  });
  afterEach(() => following.close());

  const untilResident = () =>
    until(async () => (await switcher.variants())["b"]?.state === "resident", "the floor is in memory");

  it("comes back after a pin, while the top stays in memory", async () => {
    assert.equal((await switcher.pin("c")).status, 200);
    assert.equal((await switcher.variants())["b"]?.state, "absent");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
    assert.equal((await switcher.variants())["a"]?.state, "serving");
    const { to, steps } = (await switcher.switches()).at(-1)!;
    assert.deepEqual([to, steps.map(({ step }) => step)], ["a", ["swap"]]);
    await untilResident();
  });

  it("comes back when there is room again that there was none for beside a pin", async () => {
    scaler.assign(2, { rungs: ["a", "b"].map(variant => ({ variant, maxBatch: 1 })), top: "b", floor: "b" });
    await scaler.untilAcked(2);
    assert.equal((await switcher.pin("c")).status, 200);
    assert.equal((await switcher.variants())["a"]?.state, "absent");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
    await until(async () => (await switcher.variants())["a"]?.state === "resident", "the rung above the top is back");
  });

  it("comes back after a profile was measured", async () => {
    const body = JSON.stringify({ variant: "c", seconds: 0 });
    assert.equal((await switcher.admin("profile", { method: "POST", body })).status, 200);
    await untilResident();
    assert.equal((await switcher.variants())["c"]?.state, "absent");
  });
});
