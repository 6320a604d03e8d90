import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { type RunningScaler, refOf } from "./support/running-scaler.ts";
import {
  AUTHORIZED,
  answer,
  leads,
  PIPELINE,
  page,
  passUntil,
  SeveralScalers,
  TIMES,
} from "./support/several-scalers.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("several scalers", () => {
  let scalers: SeveralScalers;
  beforeEach(async () => {
    scalers = await SeveralScalers.open();
  });
  afterEach(() => scalers.close());

  it("T22: followers answer KEDA what the leader does, and plan nothing", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    assert.deepEqual([await leads(first), await leads(second)], [true, false]);
    for (const stage of ["detect", "read"]) {
      const ref = refOf(stage);
      assert.deepEqual(await second.keda.metrics(ref), await first.keda.metrics(ref));
      assert.deepEqual(await second.keda.spec(ref), await first.keda.spec(ref));
      assert.deepEqual(await second.keda.isActive(ref), await first.keda.isActive(ref));
    }
    assert.equal(second.board, null);
    await passUntil([first, second], async () => (await fetch(second.url("/readyz"))).status === 200, "ready");
  });

  it("goes on from where the leader stopped when that is gone, and changes no answer in between", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const { epoch } = await page(first);
    const body = JSON.stringify({ stage: "read", batch: 2, ttlMs: 600_000, by: "ann", reason: "compare" });
    assert.equal((await fetch(first.url(`${PIPELINE}/pin`), { method: "PUT", headers: AUTHORIZED, body })).status, 200);
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    const live = async (running: RunningScaler): Promise<any> => (await fetch(running.url(`${PIPELINE}/live`))).json();
    const { changes } = await live(first);
    assert.equal(changes.length, 1);
    const { decisionId } = await page(second).then(shown => shown.board);
    const answers = new Set([await answer(first)]);
    // Its clock stands still from now on, as when it was killed.
    const seconds = await passUntil(
      [second],
      async () => {
        answers.add(await answer(second));
        return await leads(second);
      },
      "the second leads",
    );
    assert.ok(seconds >= TIMES.durationMs / 1000 - 2 && seconds <= 13, `it took ${seconds} s`);
    await passUntil([second], () => second.board !== null, "a board");
    answers.add(await answer(second));
    assert.equal(answers.size, 1, `answers were ${[...answers].join(", ")}`);
    const shown = await page(second);
    assert.deepEqual((await live(second)).changes, changes);
    assert.ok(shown.epoch > epoch);
    assert.ok(shown.board.decisionId >= decisionId, "decisions are counted on");
  });

  it("leads where the state of one pipeline can't be gone on from, says so of that one, and goes on with the others", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const scans = testPipeline({ name: "scans", stages: ["detect"] });
    const scansRef = refOf("detect", {
      scalerMetadata: { scalerAddress: "scaler:6000", pipeline: "scans", stage: "detect" },
    });
    for (const one of [first, second]) await one.scaler.pipelines.put(scans);
    const counts = (one: RunningScaler) => one.keda.replicas(scansRef).catch((error: { code: number }) => error.code);
    const boardOf = (one: RunningScaler) => one.scaler.boards.latest(scans.key);
    await passUntil(
      [first, second],
      async () => (await counts(second)) === boardOf(first)?.stages[0]?.metricValue,
      "its count",
    );
    const { decisionId } = (await page(first)).board;
    const { takeOver } = PipelineControl.prototype;
    let thrown = 0;
    PipelineControl.prototype.takeOver = function (stored, ...others) {
      if (this.pipeline.key.name !== "scans" || stored === null) return takeOver.call(this, stored, ...others);
      thrown += 1;
      throw new Error("a state of another world");
    };
    try {
      await passUntil([second], () => leads(second), "the second leads");
    } finally {
      PipelineControl.prototype.takeOver = takeOver;
    }
    await passUntil([second], () => second.board !== null && boardOf(second) !== null, "boards of both");
    assert.equal(thrown, 1);
    const shown = await page(second);
    assert.ok(shown.board.decisionId >= decisionId, "the other goes on from where the leader stopped");
    const takenOver = async (path: string) => {
      const { processConditions } = (await (await fetch(second.url(path))).json()) as {
        processConditions: { type: string; status: boolean; message: string }[];
      };
      return processConditions.find(({ type }) => type === "TakenOver");
    };
    assert.equal((await takenOver(PIPELINE))?.status, true);
    const said = await takenOver("/api/v1/pipelines/shop/scans");
    assert.equal(said?.status, false);
    assert.match(said?.message ?? "", /can't be gone on from: .*a state of another world/);
    await passUntil(
      [second],
      async () => (await counts(second)) === boardOf(second)?.stages[0]?.metricValue,
      "its new count",
    );
  });

  it("takes pins at any of them, and keeps them and the mode over a change of leader", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const pin = { stage: "read", replicas: 2, ttlMs: 600_000 };
    const put = (one: RunningScaler, headers = {}) =>
      fetch(one.url(`${PIPELINE}/pin`), { method: "PUT", headers, body: JSON.stringify(pin) });
    for (const one of [first, second]) assert.equal((await put(one)).status, 401);
    assert.equal((await put(second, AUTHORIZED)).status, 200);
    await passUntil([second], () => leads(second), "the second leads");
    const shown = await page(second);
    assert.deepEqual(
      shown.pins.map(({ stage, replicas }: typeof pin) => [stage, replicas]),
      [["read", 2]],
    );
  });

  it("takes no change without a token, from the leader's machine neither", async () => {
    const alone = await scalers.start("alone", { token: null });
    await passUntil([alone], () => leads(alone), "it leads");
    const put = await fetch(alone.url(`${PIPELINE}/mode`), { method: "PUT", body: '{"mode":"shadow"}' });
    assert.equal(put.status, 403);
    assert.match(await put.text(), /in a cluster changes are taken with a token alone, .*VARISCALE_TOKEN/);
  });

  it("gives the Lease back when it ends: another leads at its next look", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    await first.close();
    scalers.forget(first);
    const seconds = await passUntil([second], () => leads(second), "the second leads");
    assert.ok(seconds <= 3, `it took ${seconds} s`);
  });
});
