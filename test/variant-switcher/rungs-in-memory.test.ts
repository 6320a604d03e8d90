import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FollowingSwitcher } from "../support/scaler-stub.ts";
import { until } from "../support/switcher-harness.ts";

const points = [{ batch: 1, latencyMs: 1 }];
const LOAD_MS = 300;

/** Answers of the admin endpoint, as far as they are about rungs. */
interface Admin {
  readonly serving?: {
    readonly rungs: readonly { readonly variant: string; readonly maxBatch: number; readonly inMemory: boolean }[];
  };
  readonly variants?: readonly { readonly variant: string; readonly state: string; readonly serves: boolean }[];
}

describe("a lighter rung where memory is short", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  /** There is memory for two of three. */
  beforeEach(async () => {
    const emulated = { driver: "emulated", points, memoryMiB: 60_000 };
    const variants = [
      { ...emulated, name: "a" },
      { ...emulated, name: "b" },
      { ...emulated, name: "c", loadMs: LOAD_MS },
    ];
    following = await FollowingSwitcher.start(() => ({ variants, memoryMiB: 135_000 }));
    ({ scaler, switcher } = following);
    scaler.assign(1, { top: "a", floor: "b", batch: 1 });
    await scaler.untilAcked(1);
    await untilResident();
  });
  afterEach(() => following.close());

  const untilResident = () =>
    until(async () => (await switcher.variants())["b"]?.state === "resident", "the floor is in memory");

  it("serves while a top is loaded that has no room beside the one before, and nobody is refused", async () => {
    scaler.assign(2, { top: "c", floor: "b", batch: 1 });
    let isAcked = false;
    const acked = scaler.untilAcked(2).then(() => {
      isAcked = true;
    });
    const served = new Set<string | undefined>();
    while (!isAcked) {
      const [{ status, body }, states] = await Promise.all([switcher.infer([1, 2, 3]), switcher.variants()]);
      assert.equal(status, 200, body.error);
      assert.match(states["b"]?.state ?? "", /^(resident|serving)$/);
      served.add(body.model_version);
    }
    await acked;
    assert.ok(served.has("b"));
    assert.equal((await switcher.infer([1])).body.model_version, "c");
  });

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

  it("is among the rungs that may serve although it is not in memory, and said where one below it serves", async () => {
    const rungs = ["a", "c", "b"].map(variant => ({ variant, maxBatch: 1 }));
    scaler.assign(2, { rungs, top: "a", floor: "b" });
    await scaler.untilAcked(2);
    const look = async () => {
      const read = async (path: string) => (await (await switcher.admin(path)).json()) as Admin;
      const { serving } = await read("assignment");
      const { variants } = await read("variants");
      const served = variants?.filter(({ serves }) => serves).map(({ variant, state }) => `${variant} ${state}`);
      return [serving?.rungs.map(({ variant, maxBatch, inMemory }) => `${variant} ${maxBatch} ${inMemory}`), served];
    };
    assert.deepEqual(await look(), [
      ["a 1 true", "c 1 false", "b 1 true"],
      ["a serving", "b resident"],
    ]);
    const choose = async (sloMs: number) => {
      const { body } = await switcher.infer([1], { parameters: { slo_timeout_ms: sloMs } });
      const { variant, why } = (body as { parameters?: Record<string, unknown> }).parameters ?? {};
      return [variant, why];
    };
    assert.deepEqual(await choose(30_000), ["a", "top"]);
    assert.deepEqual(await choose(0.001), ["b", "not_in_memory"]);
    assert.equal((await switcher.pin("c", 2)).status, 200);
    assert.deepEqual(await look(), [["c 2 true"], ["c serving"]]);
  });

  it("comes back after a profile was measured", async () => {
    const body = JSON.stringify({ variant: "c", seconds: 0 });
    assert.equal((await switcher.admin("profile", { method: "POST", body })).status, 200);
    await untilResident();
    assert.equal((await switcher.variants())["c"]?.state, "absent");
  });
});

describe("what serves, while a top is loaded", () => {
  it("is said without rungs in memory that may serve once the top does", async () => {
    const emulated = { driver: "emulated", points, memoryMiB: 1000 };
    const createVariant = (name: string, loadMs = 0) => ({ ...emulated, name, loadMs });
    const variants = [createVariant("t", 5 * LOAD_MS), ...["a", "m", "f"].map(name => createVariant(name))];
    const following = await FollowingSwitcher.start(() => ({ variants, defaultVariant: "a", memoryMiB: 640_000 }));
    const { scaler, switcher } = following;
    const assign = (counter: number, names: string): void => {
      const rungs = [...names].map(variant => ({ variant, maxBatch: 1 }));
      scaler.assign(counter, { rungs, top: names[0]!, floor: names.at(-1)! });
    };
    const look = async () => {
      const { variants: all = [] } = (await (await switcher.admin("variants")).json()) as Admin;
      const served = all.filter(({ serves }) => serves).map(({ variant }) => variant);
      return [served.join(""), ...all.filter(({ variant }) => "tm".includes(variant)).map(({ state }) => state)];
    };
    try {
      assign(1, "amf");
      await scaler.untilAcked(1);
      await until(async () => (await look())[0] === "amf", "all are in memory");
      assign(2, "af");
      await scaler.untilAcked(2);
      assert.deepEqual(await look(), ["af", "absent", "resident"]);
      assign(3, "tamf");
      let seen = await look();
      await until(async () => {
        seen = await look();
        return seen[1] === "loading";
      }, "the top is loading");
      assert.deepEqual(seen, ["af", "loading", "resident"]);
      await scaler.untilAcked(3);
      assert.equal((await look())[0], "tamf");
    } finally {
      await following.close();
    }
  });
});
