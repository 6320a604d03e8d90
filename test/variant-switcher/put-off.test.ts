import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FollowingSwitcher } from "../support/scaler-stub.ts";
import { until } from "../support/switcher-harness.ts";

const LOAD_MS = 1500;
const points = [{ batch: 1, latencyMs: 1 }];

describe("an Assignment that something stands against for a while", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  beforeEach(async () => {
    const emulated = [
      { name: "light", points },
      { name: "heavy", points: [{ batch: 1, latencyMs: 100 }] },
      { name: "big", points, loadMs: LOAD_MS },
      { name: "endless", points, loadMs: 100_000 },
    ];
    const variants = emulated.map(variant => ({ driver: "emulated", ...variant }));
    const missing = { name: "missing", model: "nothing.onnx", sha256: "0".repeat(64) };
    const config = {
      variants: [...variants, missing],
      defaultVariant: "light",
      modelControl: "explicit",
    };
    following = await FollowingSwitcher.start(() => config);
    ({ scaler, switcher } = following);
    assign(1, "heavy");
    await scaler.untilAcked(1);
    await until(async () => (await switcher.variants())["light"]?.state === "resident", "the floor is in memory");
  });
  afterEach(() => following.close());

  const assign = (counter: number, top: string) => scaler.assign(counter, { top, floor: "light", batch: 1 });
  const served = async () => (await switcher.infer([1])).body.model_version;
  const to = async () => (await switcher.switches()).map(record => `${record.to} ${record.outcome}`);
  const untilLoading = (variant: string) =>
    until(async () => (await switcher.variants())[variant]?.state === "loading", `loading ${variant}`);

  it("is gone to after the pin that has overtaken its load", async () => {
    assign(2, "big");
    await untilLoading("big");
    assert.equal((await switcher.pin("light")).status, 200);
    assert.equal((await scaler.untilNacked(2)).code, "pinned");
    await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": "*" } });
    await scaler.untilAcked(2);
    assert.equal(await served(), "big");
    assert.deepEqual((await to()).slice(2), ["big superseded", "light done", "big done"]);
  });

  it("tells from when it comes how much time calls have, while its top loads", async () => {
    assert.equal(await served(), "heavy");
    scaler.assign(2, { top: "endless", floor: "light", batch: 1, budgetMs: 50 });
    await untilLoading("endless");
    assert.equal(await served(), "light");
  });

  it("is gone to where the pin that has overtaken it fails", async () => {
    assign(2, "big");
    await untilLoading("big");
    assert.equal((await switcher.pin("missing")).status, 409);
    await scaler.untilAcked(2);
    assert.equal(await served(), "big");
  });

  it("gives way to a newer one while it gets ready", async () => {
    assign(2, "endless");
    await untilLoading("endless");
    assign(3, "big");
    assert.equal((await scaler.untilNacked(2)).code, "superseded");
    await scaler.untilAcked(3);
  });

  it("goes on with the load of the one before it where both are to the same variant", async () => {
    const isAcked = () => scaler.acks.some(({ version }) => Number(version?.counter) > 1);
    for (let counter = 2; !isAcked(); counter++) {
      assert.ok(counter < 60, "no load ends while Assignments follow each other");
      scaler.assign(counter, { top: "big", floor: "light", batch: 1, budgetMs: 100 + counter });
      await sleep(LOAD_MS / 5);
    }
    assert.equal(await served(), "big");
  });

  it("lets a session be replaced although budgets change meanwhile", async () => {
    assign(2, "big");
    await scaler.untilAcked(2);
    const reload = switcher.http("/v2/repository/models/affine/load", { method: "POST", body: "{}" });
    await until(async () => (await to()).at(-1) === "big running", "is being replaced");
    scaler.assign(3, { top: "big", floor: "light", batch: 1, budgetMs: 100 });
    await scaler.untilAcked(3);
    assert.equal((await reload).status, 200);
    assert.equal((await to()).at(-1), "big done");
  });

  it("is not served before it is refused for a pin", async () => {
    assign(2, "big");
    await untilLoading("big");
    assert.equal((await switcher.pin("light")).status, 200);
    assert.equal((await scaler.untilNacked(2)).code, "pinned");
    assert.equal(await served(), "light");
    assert.ok(!(await to()).includes("big done"));
    assert.equal((await switcher.pin("light", 1, 1)).status, 200);
    await scaler.untilAcked(2);
    assert.equal(await served(), "big");
  });
});
