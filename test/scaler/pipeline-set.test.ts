import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pipelineStatePath } from "../../scaler/state-paths.ts";
import { until } from "../support/until.ts";
import { Received, RunningScaler, refOf } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const SCANS = testPipeline({ name: "scans" });
const SCANS_REF = refOf("detect", { scalerMetadata: { pipeline: "scans", stage: "detect" } });
const PIN = { stage: "detect", variant: "light", ttlMs: 600_000 };

describe("pipelines that come, change and go while the scaler runs", () => {
  let stateDir: string;
  let running: RunningScaler;

  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-set-"));
    running = await RunningScaler.start({ stateDir });
  });

  afterEach(async () => {
    await running.close();
    rmSync(stateDir, { recursive: true });
  });

  const put = (...args: Parameters<typeof testPipeline>) => running.scaler.pipelines.put(testPipeline(...args));
  const pin = async () => {
    const init = { method: "PUT", body: JSON.stringify(PIN) };
    assert.equal((await fetch(running.url("/api/v1/pipelines/shop/cards/pin"), init)).status, 200);
  };
  const metrics = async () => (await fetch(running.url("/metrics"))).text();

  it("serves one that is added, with its state stored and a board there from the first call on", async () => {
    await assert.rejects(running.keda.isActive(SCANS_REF), { code: status.INVALID_ARGUMENT });
    assert.equal(await running.scaler.pipelines.put(SCANS), "added");
    assert.notEqual(running.scaler.boards.latest(SCANS.key), null);
    assert.ok(existsSync(pipelineStatePath(stateDir, SCANS.key)));
    assert.equal((await running.keda.isActive(SCANS_REF)).result, true);
    await running.clock.advance(11_000);
    const atMs = running.scaler.boards.latest(SCANS.key)?.atMs ?? 0;
    await running.clock.advance(2000);
    assert.ok((running.scaler.boards.latest(SCANS.key)?.atMs ?? 0) > atMs, "it has ticks");
  });

  it("keeps plan, pins, epoch and load of one that is replaced, and plans anew at once", async () => {
    await pin();
    await running.planFor(50);
    const before = running.board;
    assert.equal(await put({ mode: "active" }), "unchanged");
    assert.equal(await put({ mode: "active", minReplicas: 7 }), "replaced");
    assert.equal(running.board?.decisionId, before?.decisionId, "until its next tick");
    await running.runUntil(board => board.decisionId !== before?.decisionId);
    const after = running.board;
    assert.ok((after?.atMs ?? 0) - (before?.atMs ?? 0) <= 2000, "before its interval is over");
    assert.equal(after?.plan?.stages[1]?.parts[0]?.replicas, 7);
    assert.equal(after?.plan?.stages[0]?.parts[0]?.variant, "light", "the pin holds");
    assert.deepEqual(after?.decisionId?.split("-").slice(0, 2), before?.decisionId?.split("-").slice(0, 2));
    assert.equal(after?.load?.rateRps, 50);
  });

  it("goes on where a variant that is served and pinned is gone from the replacement", async () => {
    const switcher = running.switcher();
    await pin();
    running.gateway.rateRps = 50;
    await running.runUntil(
      ({ stages }) => stages[0]?.assignments.get("detect-0")?.top === "light",
      () => switcher.report({}),
    );
    const { stages, ...rest } = running.pipeline;
    const without = stages.map(stage => ({
      ...stage,
      variants: stage.variants.filter(({ name }) => name !== "light"),
    }));
    assert.equal(await running.scaler.pipelines.put({ ...rest, stages: without }), "replaced");
    await running.runUntil(
      ({ stages: [first] }) => ![undefined, "light"].includes(first?.assignments.get("detect-0")?.top),
      () => switcher.report({}),
    );
    assert.match(await metrics(), /variscale_condition\{namespace="shop",pipeline="cards",type="Ticking"\} 1/);
  });

  it("fails the streams of a stage that the replacement does not have, and no others", async () => {
    const gone = new Received(running.keda.raw.StreamIsActive(refOf("read")));
    const spec = new Received(running.keda.raw.StreamMetricSpec(refOf("read")));
    const kept = new Received(running.keda.raw.StreamIsActive(refOf("detect")));
    await until(() => [gone, spec, kept].every(({ messages }) => messages.length > 0));
    await put({ stages: ["detect"] });
    await until(() => gone.ended !== null && spec.ended !== null);
    assert.equal(gone.ended?.code, status.INVALID_ARGUMENT);
    assert.match(gone.ended?.details ?? "", /has no stage `read`; it has: detect/);
    assert.equal(spec.ended?.code, status.INVALID_ARGUMENT);
    assert.equal(kept.ended, null);
  });

  it("refuses calls, ends streams and drops every series of one that is removed; its state stays", async () => {
    await running.scaler.pipelines.put(SCANS);
    const switcher = running.switcher();
    await running.planFor(50);
    const stream = new Received(running.keda.raw.StreamIsActive(refOf()));
    await until(() => stream.messages.length > 0);
    assert.match(await metrics(), /pipeline="cards"/);
    assert.equal(await running.scaler.pipelines.remove(running.pipeline.key), true);
    await until(() => stream.ended !== null && switcher.ended !== null);
    assert.equal(stream.ended?.code, status.INVALID_ARGUMENT);
    assert.equal(switcher.ended?.code, status.NOT_FOUND);
    await assert.rejects(running.keda.metrics(refOf()), { code: status.INVALID_ARGUMENT });
    await running.clock.advance(30_000);
    assert.doesNotMatch(await metrics(), /pipeline="cards"/);
    assert.match(await metrics(), /pipeline="scans"/);
    assert.equal(running.board, null);
    assert.ok(existsSync(pipelineStatePath(stateDir, running.pipeline.key)));
    assert.equal(await running.scaler.pipelines.remove(running.pipeline.key), false);
  });

  it("finds plan and pins again when a removed one comes back", async () => {
    await pin();
    await running.planFor(50);
    const epoch = Number(running.board?.decisionId?.split("-")[1]);
    await running.scaler.pipelines.remove(running.pipeline.key);
    assert.equal(await put({}), "added");
    assert.equal(running.board?.plan?.stages[0]?.parts[0]?.variant, "light");
    await running.runUntil(board => Number(board.decisionId?.split("-")[1]) > epoch);
  });

  it("stays alive without any pipeline", async () => {
    await running.scaler.pipelines.remove(running.pipeline.key);
    await running.clock.advance(60_000);
    assert.equal((await fetch(running.url("/healthz"))).status, 200);
  });
});
