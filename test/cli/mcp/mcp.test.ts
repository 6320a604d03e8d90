import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { RunningScaler } from "../../scaler/support/running-scaler.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { call, type Opened, openHttp, openStdio, TOKEN } from "./support/mcp-client.ts";

const READ_ONLY = ["list_pipelines", "explain_decision", "forecast", "plan", "simulate"];

for (const [transport, open] of [
  ["standard input and output", openStdio],
  ["Streamable HTTP", openHttp],
] as const) {
  describe(`variscale mcp over ${transport}`, function () {
    this.timeout(300_000);
    let folder: string;
    let running: RunningScaler;
    let opened: Opened | null = null;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "variscale-"));
      mkdirSync(join(folder, "tiny"));
      writeTinyPipeline(join(folder, "tiny"));
      running = await RunningScaler.start({ stateDir: join(folder, "state"), token: TOKEN });
      opened = null;
    });
    afterEach(async () => {
      await opened?.close();
      await running.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const start = async (...more: string[]): Promise<Opened> => {
      opened = await open([join(folder, "tiny"), "--url", running.url(""), ...more]);
      return opened;
    };

    it("offers what changes nothing, with schemas of what goes in and comes out", async () => {
      const { client } = await start();
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name }) => name),
        READ_ONLY,
      );
      for (const { name, annotations, inputSchema, outputSchema } of tools) {
        assert.deepEqual([annotations?.readOnlyHint, annotations?.destructiveHint], [true, false], name);
        assert.equal(inputSchema["additionalProperties"], false, name);
        assert.equal(outputSchema?.["type"], "object", name);
      }
      assert.equal(client.getServerVersion()?.name, "variscale");
      for (const name of ["set_mode", "pin", "unpin", "doctor"])
        await assert.rejects(call(opened as Opened, name), /not found/, name);
    });

    it("says what the scaler does, why, and what it expects", async () => {
      const mcp = await start();
      await running.planFor(50);
      const { value: list } = await call(mcp, "list_pipelines");
      assert.deepEqual(
        [list.pipelines.length, list.pipelines[0].pipeline, list.pipelines[0].loadRps, list.leftOut],
        [1, "shop/cards", 50, 0],
      );
      const plan = running.board?.plan;
      const { value: explained } = await call(mcp, "explain_decision", { pipeline: "shop/cards" });
      assert.equal(explained.decisionId, running.board?.decisionId);
      assert.deepEqual(explained.plan.stages, plan?.stages);
      assert.match(explained.why[0], /^feasible for up to /);
      assert.ok(
        explained.why.some((text: string) => text.startsWith("the best configuration that was found for the loads")),
      );
      assert.ok(explained.atMore.length > 0);
      assert.ok(explained.alternatives.length >= 1 && explained.alternatives.length <= 12);
      assert.match(explained.alternatives[0].stages, /^detect: \w+, read: \w+$/);
      const { value: forecast } = await call(mcp, "forecast");
      assert.equal(forecast.forecast.p95Rps, running.board?.forecast?.peakRps[2]);
      assert.equal(forecast.past.at(-1).loadRps, 50);
      assert.equal(forecast.model, "bundled");
    });

    it("plans and simulates from the files that it was given", async () => {
      const mcp = await start();
      const { value: light } = await call(mcp, "plan", { pipeline: "default/tiny", rps: 1 });
      const { value: heavy } = await call(mcp, "plan", { rps: 1, exclude: [{ stage: "first", variant: "heavy" }] });
      assert.equal(light.plan.feasible, true);
      assert.deepEqual(
        [light, heavy].map(({ plan }) => plan.stages[0].parts[0].variant),
        ["heavy", "light"],
      );
      const { value: limited } = await call(mcp, "plan", { rps: 1, timeLimitMs: 50 });
      assert.deepEqual([limited.plan.optimal, limited.plan.stages], [true, light.plan.stages]);
      const { value: infeasible } = await call(mcp, "plan", { rps: 1e6 });
      assert.deepEqual([infeasible.plan.feasible, infeasible.plan.shedRps > 0], [false, true]);
      const { value } = await call(mcp, "simulate", {
        load: { ratesRps: Array.from({ length: 150 }, () => 5) },
        seconds: 90,
        policies: ["default", "static"],
      });
      assert.deepEqual(
        value.results.map(
          ({ policy, seconds, summary }: { policy: string; seconds: number; summary: { offered: number } }) => [
            policy,
            seconds,
            summary.offered > 300 && summary.offered < 600,
          ],
        ),
        [
          ["default", 90, true],
          ["static", 90, true],
        ],
      );
    });

    it("changes nothing of what it must not, and says how input is wrong", async () => {
      const mcp = await start();
      const cases: readonly (readonly [tool: string, input: Record<string, unknown>, message: RegExp])[] = [
        ["list_pipelines", { pipeline: "shop/card" }, /unknown pipeline `card`; .*cards/],
        ["list_pipelines", { pipeline: "../../etc/passwd" }, /must be namespace\/name/],
        ["list_pipelines", { limit: 1e9 }, /limit/],
        ["list_pipelines", { colour: "red" }, /colour/],
        ["explain_decision", { decisionId: "../../../healthz" }, /there is no decision/],
        ["explain_decision", { decisionId: "x".repeat(300) }, /decisionId/],
        ["forecast", { pipeline: "\u001b[2J\u202e" }, /must be namespace\/name/],
        ["plan", { rps: "many" }, /rps/],
        ["plan", { rps: -1 }, /rps/],
        [
          "plan",
          { rps: 1, pipeline: "default/other" },
          /there is no file of pipeline default\/other: one of default\/tiny/,
        ],
        ["plan", { rps: 1, pipeline: "/etc/passwd" }, /there is no file of pipeline/],
        ["plan", { rps: 1, pins: [{ stage: "fist", variant: "light" }] }, /no stage `fist`\. Did you mean `first`\?/],
        ["plan", { rps: 1, timeLimitMs: 1e6 }, /timeLimitMs/],
        ["plan", { rps: 1, set: ["spec.code=./evil.js"] }, /set/],
        ["simulate", { load: { kind: "steady", ratesRps: [] } }, /ratesRps/],
        ["simulate", { load: {} }, /give one of kind and ratesRps/],
        ["simulate", { load: { kind: "steady" }, seconds: 1e6 }, /seconds/],
        ["simulate", { load: { ratesRps: Array.from({ length: 30_000 }, () => 1) } }, /maximum of 25000 elements/],
      ];
      for (const [tool, input, message] of cases) {
        const { isError, text } = await call(mcp, tool, input);
        assert.ok(isError, `${tool} ${JSON.stringify(input).slice(0, 100)}`);
        assert.match(text, message);
        assert.doesNotMatch(text, /\n\s+at /);
      }
      await assert.rejects(call(mcp, "no_such_tool"), /no_such_tool not found/);
      // It goes on.
      assert.equal((await call(mcp, "list_pipelines")).isError, false);
    });

    it("changes pins and the mode only when allowed to, with a reason, and each is in the audit log", async () => {
      const mcp = await start("--allow-changes");
      const { tools } = await mcp.client.listTools();
      const changing = tools.filter(({ annotations }) => annotations?.readOnlyHint === false);
      assert.deepEqual(
        changing.map(({ name, annotations }) => [name, annotations?.destructiveHint]),
        [
          ["set_mode", true],
          ["pin", true],
          ["unpin", true],
        ],
      );
      await running.planFor(20);
      assert.match((await call(mcp, "set_mode", { mode: "shadow" })).text, /reason/);
      const dry = await call(mcp, "set_mode", { mode: "shadow", reason: "to see", dryRun: true });
      assert.match(dry.value.what, /would be shadow/);
      const pinned = await call(mcp, "pin", { stage: "read", replicas: 3, reason: "a test", ttlSeconds: 60 });
      assert.deepEqual([pinned.value.replicas, pinned.value.replaced, pinned.value.dryRun], [3, null, false]);
      const wrong = await call(mcp, "pin", { stage: "read", variant: "huge", reason: "a test" });
      assert.deepEqual([wrong.isError, /Write one of: heavy, middle, light/.test(wrong.text)], [true, true]);
      await running.runUntil(board => board.reasons.includes("pinned"));
      assert.equal((await call(mcp, "unpin", { reason: "done with it" })).value.removed, 1);
      assert.equal((await call(mcp, "set_mode", { mode: "shadow", reason: "for the night" })).value.before, "active");
      await running.runUntil(board => board.mode === "shadow");
      await running.close();
      const lines = readFileSync(join(folder, "state/changes.jsonl"), "utf8").trim().split("\n");
      const changes = lines.map(text => JSON.parse(text));
      assert.deepEqual(
        changes.map(({ kind, reason, shown }) => [kind, reason, shown]),
        [
          ["pin", "a test", "token"],
          ["unpin", "done with it", "token"],
          ["mode", "for the night", "token"],
        ],
      );
      for (const { by } of changes) assert.match(by, /.+ by MCP/);
      running = await RunningScaler.start();
    });

    it("says that the scaler is gone, and goes on when it is back", async () => {
      const mcp = await start();
      const port = running.scaler.ports.http;
      await running.close();
      const { isError, text } = await call(mcp, "list_pipelines");
      assert.equal(isError, true);
      assert.match(text, /does not answer/);
      assert.equal((await call(mcp, "plan", { rps: 1 })).isError, false);
      running = await RunningScaler.start({ ports: { keda: 0, switchers: 0, http: port } });
      assert.equal((await call(mcp, "list_pipelines")).isError, false);
    });
  });
}
