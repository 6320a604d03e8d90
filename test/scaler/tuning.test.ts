import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { RunningScaler } from "./support/running-scaler.ts";

const TUNING = "/api/v1/pipelines/shop/cards/tuning";

describe("tuning by HTTP", () => {
  let folder: string;
  let running: RunningScaler;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    running = await RunningScaler.start({ stateDir: join(folder, "state") });
  });
  afterEach(async () => {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = async (method: string, body?: unknown, query = "") => {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(running.url(`${TUNING}${query}`), init);
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    return { status: response.status, body: (await response.json()) as any };
  };

  it("is in force until it ends, is seen in plans and written to the audit log", async () => {
    await running.planFor(20);
    assert.deepEqual((await send("GET")).body, { tuning: null });
    const pins = [{ stage: "read", variant: "light" }];
    const set = await send("PUT", {
      forecastQuantile: 0.99,
      pins,
      ttlMs: 60_000,
      reason: "try",
      by: "ann",
    });
    assert.equal(set.status, 200);
    assert.equal(set.body.replaced, null);
    await running.runUntil(board => board.reasons.includes("tuned"));
    assert.equal(running.board?.plan?.stages[1]?.parts[0]?.variant, "light");
    assert.equal((await send("GET")).body.tuning.forecastQuantile, 0.99);
    const ended = await send("DELETE", undefined, "?reason=enough");
    assert.equal(ended.body.replaced.forecastQuantile, 0.99);
    await running.runUntil(board => !board.reasons.includes("tuned"));
    await running.close();
    const audited = readFileSync(join(folder, "state/changes.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(text => JSON.parse(text))
      .filter(({ kind }) => kind === "tuning");
    assert.deepEqual(
      audited.map(({ tuning, by, reason, shown }) => [tuning?.forecastQuantile ?? null, by, reason, shown]),
      [
        [0.99, "ann", "try", "this_machine"],
        [null, "", "enough", "this_machine"],
      ],
    );
    running = await RunningScaler.start();
  });

  it("expires, and changes nothing when it is only asked about", async () => {
    await send("PUT", { forecastQuantile: 0.99, ttlMs: 5000 }, "?dryRun=true");
    assert.equal((await send("GET")).body.tuning, null);
    await send("PUT", { forecastQuantile: 0.99, ttlMs: 5000 });
    assert.equal((await send("GET")).body.tuning.forecastQuantile, 0.99);
    await running.planFor(20);
    await running.clock.advance(6000);
    assert.equal((await send("GET")).body.tuning, null);
  });

  it("makes replicas serve the planned variant alone, or none below a floor, while it is in force", async () => {
    await running.planFor(20);
    const newcomer = () => running.board?.stages[0]?.newcomer?.rungs.map(({ variant }) => variant);
    assert.deepEqual(newcomer(), ["heavy", "middle", "light"]);
    assert.equal((await send("PUT", { serving: { rule: "fixed" }, ttlMs: 60_000 })).status, 200);
    await running.clock.advance(1000);
    assert.deepEqual(newcomer(), ["heavy"]);
    await send("PUT", { serving: { floor: { detect: "middle" }, headroom: 0.5 }, ttlMs: 60_000 });
    await running.clock.advance(1000);
    assert.deepEqual(newcomer(), ["heavy", "middle"]);
    assert.equal(running.board?.stages[0]?.newcomer?.headroom, 0.5);
    assert.deepEqual(running.board?.stages[0]?.newcomer?.belowFloor, ["light"]);
    await send("PUT", { serving: { shadow: true }, ttlMs: 60_000 });
    await running.clock.advance(1000);
    assert.deepEqual(newcomer(), ["heavy", "middle", "light"]);
    assert.equal(running.board?.stages[0]?.newcomer?.shadow, true);
    await send("DELETE");
    await running.clock.advance(1000);
    assert.deepEqual(newcomer(), ["heavy", "middle", "light"]);
  });

  for (const body of [
    { serving: { rule: "lightest" }, ttlMs: 5000 },
    { serving: { floor: { detect: "tiny" } }, ttlMs: 5000 },
    { serving: { sticky: { by: "x-user-id", ttlMs: 1000 } }, ttlMs: 5000 },
    { serving: { floor: { crop: "light" } }, ttlMs: 5000 },
    { hysteresis: 0.01, ttlMs: 5000 },
    { forecastQuantile: 0.99 },
    { forecastQuantile: 0.7, ttlMs: 5000 },
    { weights: { cost: 1 }, ttlMs: 5000 },
    { pins: [{ stage: "crop", replicas: 1 }], ttlMs: 5000 },
    { pins: [{ stage: "read", replicas: 100 }], ttlMs: 5000 },
    { minAccuracy: 0, ttlMs: 5000 },
    { forecastQuantile: 0.99, ttlMs: 1e12 },
    null,
  ])
    it(`refuses the tuning ${JSON.stringify(body)}`, async () => {
      const { status, body: answer } = await send("PUT", body);
      assert.deepEqual([status, answer.code], [400, "invalid_argument"]);
      assert.equal((await send("GET")).body.tuning, null);
    });
});
