import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { CELL_BYTES } from "../../predictor/cell-codec.ts";
import { readState, writeState } from "../../runtime/state-file.ts";
import { appendToArchive, readArchive } from "../../scaler/history-archive.ts";
import type { ScalerOptions } from "../../scaler/main.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { RunningScaler, refOf } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const PIPELINE = "/api/v1/pipelines/shop/cards";

describe("state of the scaler", () => {
  let stateDir: string;
  let running: RunningScaler | null = null;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "variscale-"));
  });
  afterEach(async () => {
    await running?.close();
    running = null;
    rmSync(stateDir, { recursive: true, force: true });
  });

  const start = async (options: Partial<ScalerOptions> = {}, clock = new ManualClock()): Promise<RunningScaler> => {
    running = await RunningScaler.start({ stateDir, ...options }, clock);
    return running;
  };
  const restart = async (before: RunningScaler, options: Partial<ScalerOptions> = {}): Promise<RunningScaler> => {
    await before.close();
    before.clock.set(before.clock.nowMs() + 1);
    return start(options, before.clock);
  };
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  const page = async (scaler: RunningScaler): Promise<any> => (await fetch(scaler.url(PIPELINE))).json();

  /** Waits until the condition has the status; gives its message. */
  const conditionIs = async (scaler: RunningScaler, type: string, status: boolean): Promise<string> => {
    for (let i = 0; i < 200; i++) {
      const found = (await page(scaler)).processConditions.find((one: { type: string }) => one.type === type);
      if (found?.status === status) return found.message;
    }
    return assert.fail(`${type} never became ${status}`);
  };

  it("T22: answers the same after a restart, at once, and with a higher epoch", async () => {
    const first = await start();
    await first.planFor(150);
    const { epoch } = await page(first);
    const answers = [await first.keda.replicas(refOf()), await first.keda.replicas(refOf("read"))];
    const plan = first.board?.plan;
    const second = await restart(first);
    assert.deepEqual([await second.keda.replicas(refOf()), await second.keda.replicas(refOf("read"))], answers);
    assert.deepEqual(second.board?.plan?.stages, plan?.stages);
    assert.ok((await page(second)).epoch > epoch);
    // The forecaster went on from its history, without a sample of the new run.
    assert.notEqual(second.board?.forecast, null);
  });

  it("gives assignments that are newer than those of the run before", async () => {
    const first = await start();
    await first.planFor(20);
    const pod = first.switcher();
    await until(() => pod.assignments.length > 0, "an assignment");
    const second = await restart(first);
    const again = second.switcher();
    await until(() => again.assignments.length > 0, "an assignment");
    assert.ok((again.newest?.version?.epoch ?? 0) > (pod.newest?.version?.epoch ?? 0));
  });

  it("keeps pins and the mode, unless the file's mode was changed since", async () => {
    const first = await start();
    const put = (path: string, body: unknown) =>
      fetch(first.url(`${PIPELINE}/${path}`), { method: "PUT", body: JSON.stringify(body) });
    await put("pin", { stage: "read", replicas: 2, ttlMs: 600_000 });
    await put("pin", { stage: "detect", replicas: 2, ttlMs: 1000 });
    await put("mode", { mode: "shadow" });
    await first.clock.advance(2000);
    const second = await restart(first);
    const shown = await page(second);
    assert.deepEqual(
      shown.pins.map((pin: { stage: string }) => pin.stage),
      ["read"],
    );
    assert.equal(shown.mode, "shadow");
    const third = await restart(second, { pipelines: [testPipeline({ mode: "shadow" })] });
    const fourth = await restart(third, { pipelines: [testPipeline({ mode: "active" })] });
    assert.equal((await page(fourth)).mode, "active");
  });

  it("tells changes by operators after a restart: of its state, or of the audit log where that is gone", async () => {
    const first = await start();
    const put = (running: RunningScaler, path: string, body: object) =>
      fetch(running.url(`${PIPELINE}/${path}`), { method: "PUT", body: JSON.stringify(body) });
    await put(first, "pin", { stage: "read", replicas: 2, ttlMs: 600_000, by: "ann" });
    await put(first, "mode", { mode: "shadow", by: "bob", reason: "look" });
    const changes = async (running: RunningScaler): Promise<{ kind: string; by: string }[]> =>
      ((await (await fetch(running.url(`${PIPELINE}/live`))).json()) as { changes: { kind: string; by: string }[] })
        .changes;
    const told = await changes(first);
    assert.deepEqual(
      told.map(({ kind, by }) => [kind, by]),
      [
        ["mode", "bob"],
        ["pin", "ann"],
      ],
    );
    await first.close();
    const log = join(stateDir, "changes.jsonl");
    const written = readFileSync(log, "utf8");
    rmSync(log);
    const second = await restart(first);
    assert.deepEqual(await changes(second), told);
    await second.close();
    rmSync(join(stateDir, "pipelines"), { recursive: true });
    // Version 0.1.0 wrote them between the decisions.
    const [older = "", newer = ""] = written.split("\n");
    appendFileSync(join(stateDir, "decisions.jsonl"), `${older}\n`);
    writeFileSync(log, `${newer}\n`);
    const merged = await start({}, second.clock);
    assert.deepEqual(await changes(merged), told);
    await merged.close();
    rmSync(join(stateDir, "pipelines"), { recursive: true });
    rmSync(join(stateDir, "decisions.jsonl"));
    writeFileSync(log, `${written}{"kind":"mode","at":"2026-`);
    const third = await start({}, second.clock);
    assert.deepEqual(await changes(third), told);
    const metrics = await (await fetch(third.url("/metrics"))).text();
    assert.match(metrics, /^variscale_audit_damaged_lines 1$/m);
  });

  it("drops pins of stages that the pipeline no longer has", async () => {
    const first = await start();
    await fetch(first.url(`${PIPELINE}/pin`), {
      method: "PUT",
      body: JSON.stringify({ stage: "read", replicas: 2, ttlMs: 600_000 }),
    });
    await first.planFor(20);
    const second = await restart(first, { pipelines: [testPipeline({ stages: ["detect", "crop"] })] });
    assert.deepEqual((await page(second)).pins, []);
    await second.planFor(20);
    assert.equal((await second.keda.metrics(refOf("crop"))).metricValues.length, 1);
  });

  it("saves every 10 s while something changes", async () => {
    const first = await start();
    const [name = ""] = readdirSync(join(stateDir, "pipelines"));
    assert.equal(name, "shop_cards.json");
    const path = join(stateDir, "pipelines", name);
    const before = readFileSync(path, "utf8");
    await first.clock.advance(9000);
    assert.equal(readFileSync(path, "utf8"), before);
    await first.clock.advance(1000);
    await until(() => readFileSync(path, "utf8") !== before, "the next state");
  });

  it("saves pipelines in turn and not all at once", async () => {
    const names = ["a", "b", "c", "d"];
    const first = await start({ pipelines: names.map(name => testPipeline({ name })) });
    const read = (name: string) => readFileSync(join(stateDir, "pipelines", `shop_${name}.json`), "utf8");
    const before = names.map(read);
    for (let saved = 1; saved <= names.length; saved++) {
      await first.clock.advance(2500);
      await until(() => names.filter((name, i) => read(name) !== before[i]).length >= saved, `state ${saved}`);
      assert.equal(names.filter((name, i) => read(name) !== before[i]).length, saved);
    }
  });

  it("appends to the load's archive what is new since the run before, and nothing twice", async () => {
    const clock = new ManualClock();
    const path = join(stateDir, "history", "shop_cards.cells");
    const newest = Math.floor(clock.nowMs() / 10_000) - 1;
    const cells = Array.from({ length: 100 }, (_, i) => ({ index: newest - 99 + i, meanRps: 5, highestRps: 9 }));
    appendToArchive(path, cells);
    const scaler = await start({}, clock);
    await scaler.clock.advance(60_000);
    await scaler.close();
    running = null;
    const indexes = [...readArchive(path, clock.nowMs())].map(({ index }) => index);
    assert.ok(indexes.length > 100, String(indexes.length));
    assert.equal(statSync(path).size, indexes.length * CELL_BYTES);
  });

  it("starts anew, and says so, where the stored state is damaged", async () => {
    const first = await start();
    await first.planFor(20);
    await first.close();
    running = null;
    writeFileSync(join(stateDir, "pipelines", "shop_cards.json"), "{ not what it was");
    const warnings: string[] = [];
    const second = await start({ logger: warningsTo(warnings) });
    // None, or one for what the gateway told it meanwhile, which is next to nothing.
    assert.ok((second.board?.plan?.rateRps ?? 0) < 1, "the load of the first run is forgotten");
    assert.ok(warnings.some(line => /can't be gone on from: .*kept as .*shop_cards\.json\.corrupt/.test(line)));
    await second.planFor(20);
    await second.clock.advance(20_000);
    await conditionIs(second, "StateSaved", true);
    assert.match(await conditionIs(second, "StateUsable", false), /begins anew/);
  });

  it("keeps a stored control state that it can't read, says so, and takes pins over", async () => {
    const first = await start();
    await first.planFor(20);
    const pin = { stage: "read", replicas: 2, ttlMs: 600_000 };
    await fetch(first.url(`${PIPELINE}/pin`), { method: "PUT", body: JSON.stringify(pin) });
    await first.close();
    running = null;
    const path = join(stateDir, "pipelines", "shop_cards.json");
    const read = readState(path);
    assert.ok(read.kind === "ok");
    const payload = read.payload as { control: object };
    await writeState(path, { ...payload, control: { ...payload.control, schemaVersion: 2 } }, first.clock.nowMs());
    const newer = readFileSync(path, "utf8");
    const second = await start({}, first.clock);
    const said = await conditionIs(second, "StateUsable", false);
    assert.match(said, /control state: schemaVersion.*\. It was kept as .*shop_cards\.json\.unusable; .*begins anew/);
    await second.clock.advance(20_000);
    await until(() => readFileSync(path, "utf8") !== newer, "the next state");
    assert.equal(readFileSync(`${path}.unusable`, "utf8"), newer);
    assert.equal((await page(second)).pins.length, 1);
    await second.close();
    running = null;
    writeFileSync(path, newer);
    const third = await start({}, second.clock);
    assert.match(await conditionIs(third, "StateUsable", false), /It was not kept, for .* holds an earlier one/);
  });

  it("goes on from the state of a newer version whose reasons it does not know", async () => {
    const first = await start();
    await first.planFor(150);
    const replicas = await first.keda.replicas(refOf());
    await first.close();
    running = null;
    const path = join(stateDir, "pipelines", "shop_cards.json");
    const read = readState(path);
    assert.ok(read.kind === "ok");
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the state
    const payload = read.payload as any;
    payload.control.planReasons.push("foreseen");
    payload.control.plan.reasons.push("foreseen");
    await writeState(path, payload, first.clock.nowMs());
    const warnings: string[] = [];
    const second = await start({ logger: warningsTo(warnings) }, first.clock);
    assert.equal(await second.keda.replicas(refOf()), replicas);
    assert.ok(second.board?.plan && !(second.board.reasons as readonly string[]).includes("foreseen"));
    assert.deepEqual(
      warnings.filter(line => /StateUsable|can't be/.test(line)),
      [],
    );
  });

  it("forecasts anew, says so, and keeps the rest, where an older scaler stored the forecaster otherwise", async () => {
    const first = await start();
    await first.planFor(20);
    await first.close();
    running = null;
    const path = join(stateDir, "pipelines", "shop_cards.json");
    const read = readState(path);
    assert.ok(read.kind === "ok");
    const payload = read.payload as { forecaster: object };
    await writeState(path, { ...payload, forecaster: { ...payload.forecaster, version: 3 } }, first.clock.nowMs());
    const older = readFileSync(path, "utf8");
    const warnings: string[] = [];
    const second = await start({ logger: warningsTo(warnings) }, first.clock);
    assert.ok((second.board?.plan?.rateRps ?? 0) >= 10, "the plan of the first run is kept");
    assert.ok(warnings.some(line => /forecaster: it is .* not of version 5, .* learnt anew/.test(line)));
    await second.planFor(20);
    assert.notEqual(second.board?.forecast, null);
    await second.clock.advance(20_000);
    await until(() => readFileSync(path, "utf8") !== older, "the next state");
    assert.match(
      await conditionIs(second, "StateUsable", false),
      /forecaster: .*\. It was kept as .*cards\.json\.unusable$/,
    );
    assert.equal(readFileSync(`${path}.unusable`, "utf8"), older);
  });

  it("appends decisions and changes to the audit log, each to its own file", async () => {
    const first = await start();
    await first.planFor(20);
    await fetch(first.url(`${PIPELINE}/mode`), { method: "PUT", body: '{"mode":"shadow"}' });
    await first.close();
    running = null;
    const kindsIn = (name: string) =>
      readFileSync(join(stateDir, name), "utf8")
        .trim()
        .split("\n")
        .map(line => JSON.parse(line).kind);
    assert.deepEqual(new Set(kindsIn("decisions.jsonl")), new Set(["decision"]));
    assert.deepEqual(kindsIn("changes.jsonl"), ["mode"]);
  });

  it("goes on, visibly degraded, with a folder that can't be written, and recovers", async () => {
    const blocked = join(stateDir, "blocked");
    writeFileSync(blocked, "a file where the folder should be");
    const scaler = await start({ stateDir: blocked });
    await scaler.planFor(20);
    await scaler.clock.advance(10_000);
    await conditionIs(scaler, "StateSaved", false);
    await conditionIs(scaler, "AuditLogWritten", false);
    const metrics = await (await fetch(scaler.url("/metrics"))).text();
    assert.match(metrics, /variscale_state_saves_total\{.*outcome="failed"\} [1-9]/);
    assert.match(metrics, /variscale_condition\{.*type="StateSaved"\} 0/);
    assert.equal((await scaler.keda.metrics(refOf())).metricValues.length, 1);
    rmSync(blocked);
    mkdirSync(blocked);
    await scaler.clock.advance(10_000);
    await until(() => readdirSync(blocked).includes("pipelines"), "the state");
    await conditionIs(scaler, "StateSaved", true);
  });

  it("goes on with a full disk", async function () {
    // Whatever is written into the audit log goes to a device that is full.
    try {
      symlinkSync("/dev/full", join(stateDir, "decisions.jsonl"));
      writeFileSync("/dev/full", "x");
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") return this.skip();
    }
    const scaler = await start();
    await scaler.planFor(20);
    await scaler.clock.advance(1000);
    assert.match(await conditionIs(scaler, "AuditLogWritten", false), /ENOSPC/);
    assert.equal((await scaler.keda.metrics(refOf())).metricValues.length, 1);
  });
});

function warningsTo(lines: string[]): ScalerOptions["logger"] {
  return pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
}
