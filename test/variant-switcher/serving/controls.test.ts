import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Assignment } from "../../../domain/assignment.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { writeState } from "../../../runtime/state-file.ts";
import { KeptAssignment } from "../../../variant-switcher/switching/kept-assignment.ts";
import { InferenceClient } from "../../support/inference-client.ts";
import { FollowingSwitcher } from "../../support/scaler-stub.ts";
import { errorOf, until } from "../../support/switcher-harness.ts";

const ABORTED = 10;
const ASSIGNMENT: Assignment = {
  version: { epoch: 1, counter: 1 },
  rungs: [{ variant: "a", maxBatch: 1 }],
  ...{ top: "a", floor: "a", shadow: true, belowFloor: ["b"], decisionId: "d" },
  ...{ budgetMs: 1, laterBudgetMs: 0, laterLeastMs: 0, headroom: 1 },
};

describe("what a scaler says of serving", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  beforeEach(async () => {
    const variants = [
      { driver: "emulated", name: "a", points: [{ batch: 1, latencyMs: 600 }] },
      { driver: "emulated", name: "b", points: [{ batch: 1, latencyMs: 1 }] },
      { driver: "emulated", name: "c", points: [{ batch: 1, latencyMs: 800 }] },
    ];
    following = await FollowingSwitcher.start(() => ({ variants }));
    ({ scaler, switcher } = following);
  });
  afterEach(() => following.close());

  const untilResident = (variant: string) =>
    until(async () => (await switcher.variants())[variant]?.state === "resident", `${variant} is in memory`);
  const askFor = (variant: string) =>
    switcher.http(`/v2/models/affine/versions/${variant}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 1] }] }),
    });

  it("in shadow, rungs are loaded and their choice is counted and reported, and the top alone serves", async () => {
    const rungs = ["c", "a", "b"].map(variant => ({ variant, maxBatch: 1 }));
    scaler.assign(1, { rungs, top: "a", floor: "b", shadow: true });
    await scaler.untilAcked(1);
    for (const variant of ["b", "c"]) await untilResident(variant);
    const served: (string | undefined)[] = [];
    // The last two calls are urgent: the ladder would have served them by what has the time.
    for (const more of [{}, { slo_timeout_ms: 500 }, { slo_timeout_ms: 500 }])
      served.push((await switcher.infer([1], { parameters: more })).body.model_version);
    assert.deepEqual(served, ["a", "a", "a"]);
    const metrics = await switcher.metrics();
    for (const [variant, rows] of Object.entries({ a: 1, b: 2, c: 0 }))
      assert.match(
        metrics,
        new RegExp(`variscale_switcher_shadow_rows_total\\{stage="affine",variant="${variant}"\\} ${rows}\\n`),
      );
    await until(() => {
      const { variants = [] } = scaler.statuses.at(-1) ?? {};
      return variants.find(({ variant }) => variant === "b")?.shadowRows === 2;
    }, "reported");
    scaler.assign(2, { rungs, top: "a", floor: "b" });
    await scaler.untilAcked(2);
    assert.equal((await switcher.infer([1], { parameters: { slo_timeout_ms: 500 } })).body.model_version, "b");
    assert.match(await switcher.metrics(), /shadow_rows_total\{stage="affine",variant="b"\} 2\n/);
  });

  it("is kept for the next start; what was kept before it could be said has neither shadow nor a floor", async () => {
    const kept = new KeptAssignment(`${following.folder.path}/kept.json`, createLogger("test", "silent"));
    const { shadow: _shadow, belowFloor: _belowFloor, ...old } = ASSIGNMENT;
    await writeState(`${following.folder.path}/kept.json`, old, 0);
    assert.deepEqual(kept.read(), { ...ASSIGNMENT, shadow: false, belowFloor: [] });
    kept.write(ASSIGNMENT);
    await kept.flush();
    assert.deepEqual(kept.read(), ASSIGNMENT);
  });

  it("a variant below the floor is refused to who asks for it although it is in memory, one above the top is not", async () => {
    scaler.assign(1, { rungs: ["c", "a", "b"].map(variant => ({ variant, maxBatch: 1 })), top: "a", floor: "b" });
    await scaler.untilAcked(1);
    for (const variant of ["b", "c"]) await untilResident(variant);
    assert.equal((await askFor("b")).status, 200);
    scaler.assign(2, {
      rungs: ["c", "a"].map(variant => ({ variant, maxBatch: 1 })),
      ...{ top: "a", floor: "a", belowFloor: ["b"] },
    });
    await scaler.untilAcked(2);
    assert.equal((await switcher.variants())["b"]?.state, "resident");
    const refused = await askFor("b");
    assert.equal(refused.status, 409);
    assert.match(await errorOf(refused), /^b serves nobody: it is below the floor/);
    assert.equal((await switcher.http("/v2/models/affine/versions/b/ready")).status, 503);
    const client = new InferenceClient(switcher.switcher.ports.grpc);
    const [code, details] = await client.failure("ModelInfer", {
      modelName: "affine",
      modelVersion: "b",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
      rawInputContents: [Buffer.alloc(8)],
    });
    client.close();
    assert.deepEqual([code, details.startsWith("b serves nobody")], [ABORTED, true]);
    assert.equal((await askFor("c")).status, 200);
    assert.match(await switcher.metrics(), /requests_total\{stage="affine",outcome="wrong_variant"\} 2\n/);
    // An operator's pin wins.
    assert.equal((await switcher.pin("b")).status, 200);
    assert.equal((await askFor("b")).status, 200);
  });
});
