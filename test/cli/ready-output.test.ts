import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder, packageVersion } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { sendNumber } from "./support/requests.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

const MAIN = join(packageFolder, "dist/cli/main.js");
const SCALER_PORTS = ["--http-port", "0", "--keda-port", "0", "--switcher-port", "0"];

describe("--output json of what goes on serving", function () {
  this.timeout(120_000);
  let folder: TestFolder;
  let child: ChildProcess;
  let stderr: string;

  beforeEach(() => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
  });
  afterEach(async () => {
    if (child.exitCode === null && child.signalCode === null) await end();
    folder.delete();
  });

  function start(args: readonly string[]): Promise<Record<string, string>> {
    child = spawn(process.execPath, [MAIN, ...args, "--log-level", "warn", "--output", "json"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    return new Promise((resolve, reject) => {
      child.stdout?.on("data", (chunk: Buffer) => {
        stdout += chunk;
        if (stdout.endsWith("\n")) resolve(JSON.parse(stdout) as Record<string, string>);
      });
      child.once("close", code => reject(new Error(`it ended with ${code}: ${stderr}`)));
    });
  }

  async function end(): Promise<number | null> {
    const ended = new Promise<number | null>(resolve => child.once("close", resolve));
    child.kill("SIGTERM");
    return await ended;
  }

  const statusOf = async (url: string | undefined): Promise<number> => (await fetch(url ?? "")).status;

  it("says where requests of `up` go and where its page is, when they can be sent", async () => {
    const args = ["up", folder.path, "--model-folder", folder.path, "--cores", "4", "--port", "0", ...SCALER_PORTS];
    const said = await start([...args, "--state-dir", join(folder.path, "state")]);
    assert.deepEqual(Object.keys(said), ["pipeline", "mode", "url", "page", "api", "metrics", "keda", "switchers"]);
    assert.deepEqual([said["pipeline"], said["mode"]], ["default/tiny", "active"]);
    assert.equal((await sendNumber(said["url"] ?? "", 3)).status, 200);
    for (const name of ["page", "api", "metrics"]) assert.equal(await statusOf(said[name]), 200, name);
    assert.equal(await end(), 0);
  });

  it("says where a scaler is reached, and which pipelines it has", async () => {
    const args = ["scaler", folder.path, ...SCALER_PORTS, "--state-dir", join(folder.path, "state")];
    const said = await start(args);
    assert.deepEqual(Object.keys(said), ["pipelines", "page", "api", "metrics", "keda", "switchers"]);
    assert.deepEqual(said["pipelines"], ["default/tiny"]);
    // It listens on all addresses: this machine's own is one that can be asked.
    assert.match(said["keda"] ?? "", /^127\.0\.0\.1:\d+$/);
    const api = (await (await fetch(said["api"] ?? "")).json()) as { version: string };
    assert.equal(api.version, packageVersion);
    for (const name of ["page", "metrics"]) assert.equal(await statusOf(said[name]), 200, name);
    assert.equal(await end(), 0);
  });

  it("says which model file beside the pipeline file of a scaler is another one than that names, and goes on", async () => {
    writeTinyPipeline(folder.path, { corrupt: "second-heavy" });
    mkdirSync(join(folder.path, "models"));
    for (const name of readdirSync(folder.path).filter(one => one.endsWith(".onnx") && one !== "first-light.onnx"))
      renameSync(join(folder.path, name), join(folder.path, "models", name));
    await start(["scaler", folder.path, ...SCALER_PORTS, "--state-dir", join(folder.path, "state")]);
    while (!stderr.includes("has sha256")) await sleep(20);
    assert.match(
      stderr,
      /models\/second-heavy\.onnx of variant second\/heavy has sha256 [0-9a-f]{64}, the pipeline file says/,
    );
    assert.equal(await end(), 0);
    // A file that is not there is no concern of a scaler.
    assert.equal(stderr.match(/of variant (first|second)\//g)?.length, 1);
  });

  it("says where a gateway is reached", async () => {
    const endpoints = ["--endpoint", "first=127.0.0.1:1", "--endpoint", "second=127.0.0.1:1"];
    const said = await start(["gateway", folder.path, "--host", "127.0.0.1", "--port", "0", ...endpoints]);
    assert.deepEqual(Object.keys(said), ["pipeline", "url", "metrics", "readyz"]);
    assert.match(said["url"] ?? "", /\/v1\/pipelines\/default\/tiny$/);
    assert.equal(await statusOf(said["metrics"]), 200);
    assert.equal(await end(), 0);
  });

  it("goes on serving where its log is on a full disk", async function () {
    if (!existsSync("/dev/full")) return this.skip();
    const full = openSync("/dev/full", "w");
    const args = ["up", folder.path, "--model-folder", folder.path, "--cores", "4", "--port", "0", ...SCALER_PORTS];
    const all = [MAIN, ...args, "--state-dir", join(folder.path, "state"), "--output", "json"];
    child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", full] });
    closeSync(full);
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    while (!said.endsWith("\n")) {
      assert.equal(child.exitCode, null);
      await sleep(20);
    }
    const { url } = JSON.parse(said) as Record<string, string>;
    assert.equal((await sendNumber(url ?? "", 3)).status, 200);
    assert.equal(await end(), 0);
  });

  it("goes on serving where standard output is closed from the start", async () => {
    const endpoints = ["--endpoint", "first=127.0.0.1:1", "--endpoint", "second=127.0.0.1:1"];
    const args = ["gateway", folder.path, "--host", "127.0.0.1", "--port", "0", ...endpoints, "--output", "json"];
    child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout?.destroy();
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk;
    });
    while (!log.includes("listening")) {
      assert.equal(child.exitCode, null, log);
      await sleep(20);
    }
    await sleep(300);
    const [, port] = /"port":(\d+)/.exec(log) ?? [];
    assert.equal(await statusOf(`http://127.0.0.1:${port}/metrics`), 200, log);
  });
});
