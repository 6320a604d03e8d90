import assert from "node:assert/strict";
import { type ChildProcess, type ForkOptions, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { ListeningMessage } from "../../variant-switcher/run-switcher.ts";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, until } from "../support/switcher-harness.ts";

const SCRIPT = fileURLToPath(new URL("../support/switcher-process.js", import.meta.url));

describe("runSwitcher()", () => {
  let folder: TestFolder;
  let child: ChildProcess | null = null;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => {
    child?.kill("SIGKILL");
    child = null;
    folder.delete();
  });

  const start = async (
    above: Record<string, unknown> = {},
    flags: readonly string[] = [],
    options: ForkOptions = {},
  ) => {
    const config = join(folder.path, "switcher.json");
    writeFileSync(config, JSON.stringify(affineConfig(folder.path, { logLevel: "error", ...above })));
    const started = fork(SCRIPT, ["--config", config, ...flags], options);
    child = started;
    const [message] = (await once(started, "message")) as [ListeningMessage];
    assert.equal(message.kind, "listening");
    const url = `http://127.0.0.1:${message.ports.http}`;
    const health = async () => (await fetch(`${url}/v2/health/ready`)).status;
    await until(async () => (await health()) === 200, "ready");
    return { started, url, health, ports: message.ports };
  };
  const exitOf = async (process: ChildProcess) => (await once(process, "exit")) as [number | null, string | null];

  it("tells its parent the ports, and ends in order on SIGTERM", async () => {
    const { started } = await start();
    started.kill("SIGTERM");
    assert.deepEqual(await exitOf(started), [0, null]);
  });

  it("logs which variant it switched to, of which stage and pod, in fields that a line for people has too", async () => {
    const { started } = await start({ logLevel: "info" }, [], { silent: true });
    started.kill("SIGTERM");
    const [log] = await Promise.all([text(started.stderr!), exitOf(started)]);
    const lines: Record<string, unknown>[] = log
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    const { stage, pod, variant, batch, cause } = lines.find(({ msg }) => msg === "switched") ?? {};
    const { defaultVariant, ...config } = affineConfig(folder.path);
    assert.deepEqual(
      { stage, pod, variant, batch, cause },
      { stage: config["stage"], pod: config["pod"], variant: defaultVariant, batch: 1, cause: "start" },
    );
  });

  it("takes what flags say in the place of the fields of its configuration with their names", async () => {
    const file = { logLevel: "error", ports: { http: 1, grpc: 0, admin: 0, metrics: 0 } };
    const flags = ["--log-level", "info", "--pod", "above-0", "--http-port", "0"];
    const { started, ports } = await start(file, flags, { silent: true });
    started.kill("SIGTERM");
    const [log] = await Promise.all([text(started.stderr!), exitOf(started)]);
    assert.ok(ports.http > 1);
    assert.match(log, /"pod":"above-0".*"msg":"listening"/);
  });

  it("answers what it has taken in before it ends", async () => {
    const variants = [writeModel(folder.path, "heavy", imageModel(400, 0))];
    const { started, url } = await start({ variants, contract: IMAGE_CONTRACT, defaultVariant: "heavy" });
    const inputs = [{ name: "image", datatype: "UINT8", shape: [4, 240, 192], data: Array(4 * 46_080).fill(5) }];
    const infer = () => fetch(`${url}/v2/models/affine/infer`, { method: "POST", body: JSON.stringify({ inputs }) });
    const answers = [infer(), infer(), infer()];
    const metrics = async () => (await fetch(`${url}/v2/health/live`)).ok;
    await until(metrics, "alive");
    await new Promise(resolve => setTimeout(resolve, 100));
    started.kill("SIGTERM");
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual(await exitOf(started), [0, null]);
  });

  it("ends when its parent goes away", async () => {
    const { started } = await start();
    started.disconnect();
    assert.deepEqual(await exitOf(started), [0, null]);
  });

  it("is made of small parts: neither schema, YAML, image nor gRPC code", async () => {
    const program = `
      await import(${JSON.stringify(new URL("../../variant-switcher/run-switcher.js", import.meta.url).href)});
      const { createRequire, Module } = await import("node:module");
      process.stdout.write(Object.keys(Module._cache ?? createRequire(import.meta.url).cache).join("\\n"));
    `;
    const probe = spawn(process.execPath, ["--input-type=module", "-e", program]);
    let loaded = "";
    probe.stdout.on("data", data => {
      loaded += data;
    });
    await once(probe, "exit");
    assert.match(loaded, /prom-client/);
    assert.doesNotMatch(
      loaded,
      /node_modules\/(zod|yaml|sharp|@grpc|protobufjs|onnxruntime-node|@opentelemetry\/(sdk|otlp|exporter)[a-z-]*)\//,
    );
  });

  it("says what is wrong with its configuration and ends", async () => {
    const run = async (...args: string[]) => {
      const process_ = spawn(process.execPath, [SCRIPT, ...args]);
      let text = "";
      process_.stderr.on("data", data => {
        text += data;
      });
      const [code] = await exitOf(process_);
      return [code, text] as const;
    };
    const config = join(folder.path, "switcher.json");
    writeFileSync(config, JSON.stringify(affineConfig(folder.path, { cores: "two" })));
    for (const [args, message] of [
      [[], /--config is missing; variscale switcher --help shows/],
      [["--nonsense"], /Unknown option '--nonsense'/],
      [["--config", "/nowhere.json"], /--config \/nowhere\.json can't be read: ENOENT/],
      [["--config", config], /switcher configuration: cores is "two"; it must be a number from 0\.01 to 10000\./],
    ] as const) {
      const [code, text] = await run(...args);
      assert.equal(code, 2);
      assert.match(text, message);
    }
  });
});
