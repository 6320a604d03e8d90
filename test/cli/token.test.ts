import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { OWN_SCALER_TOKEN, tokenOf } from "../../cli/scaler/access-options.ts";
import { isInPod } from "../../runtime/find-kubernetes.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder, until } from "../support/switcher-harness.ts";
import { runVariscale } from "./support/run-variscale.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

const TOKEN = "a-token-of-the-scaler";

describe("a token in the environment", () => {
  const MCP = { option: "--http-token-file", variable: "VARISCALE_MCP_TOKEN" };

  it("is taken without what a Secret's file ends with", () => {
    assert.equal(tokenOf(undefined, { VARISCALE_TOKEN: `${TOKEN}\n` }), TOKEN);
    assert.equal(tokenOf(undefined, { VARISCALE_MCP_TOKEN: ` ${TOKEN}\r\n` }, MCP), TOKEN);
  });

  it("is none where there is nothing in it", () => {
    for (const VARISCALE_TOKEN of ["", "\n", undefined]) assert.equal(tokenOf(undefined, { VARISCALE_TOKEN }), null);
  });

  it("is refused where no header can show it", () => {
    for (const VARISCALE_TOKEN of ["two\nlines", "two words", "größe"])
      assert.throws(
        () => tokenOf(undefined, { VARISCALE_TOKEN }),
        /^VariscaleError: VARISCALE_TOKEN: must have one line/,
      );
  });

  it("is refused where a server would take one that can be guessed; clients may show any", () => {
    const message =
      /^VariscaleError: VARISCALE_TOKEN: the token has 15 characters, and could be guessed: write one of 16 at least/;
    assert.throws(() => tokenOf(undefined, { VARISCALE_TOKEN: "x".repeat(15) }, OWN_SCALER_TOKEN), message);
    assert.equal(tokenOf(undefined, { VARISCALE_TOKEN: "x".repeat(16) }, OWN_SCALER_TOKEN)?.length, 16);
    assert.equal(tokenOf(undefined, { VARISCALE_TOKEN: "short" }), "short");
  });
});

describe("variscale scaler, its token in the environment", function () {
  this.timeout(60_000);
  let folder: TestFolder;
  let scaler: ChildProcess;
  let log: string;
  beforeEach(() => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
  });
  afterEach(async () => {
    if (scaler.exitCode === null && scaler.kill()) await once(scaler, "exit");
    folder.delete();
  });

  async function start(token: string, env: NodeJS.ProcessEnv = {}, more: readonly string[] = []): Promise<void> {
    const ports = ["--host", "127.0.0.1", "--http-port", "0", "--keda-port", "0", "--switcher-port", "0"];
    const alone = ["--kubernetes", "off", "--training-share", "0", "--load-source", "gateway=http://127.0.0.1:1"];
    const main = join(packageFolder, "dist/cli/main.js");
    const args = ["scaler", folder.path, ...ports, ...alone, "--state-dir", join(folder.path, "state"), ...more];
    log = "";
    scaler = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, VARISCALE_TOKEN: token, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    scaler.stderr?.on("data", (chunk: Buffer) => {
      log += chunk;
    });
    await until(() => scaler.exitCode !== null || log.includes("scaler started"), "started");
    assert.equal(scaler.exitCode, null, log);
  }
  const change = async (headers: Record<string, string> = {}): Promise<number> => {
    const url = `http://127.0.0.1:${/"http":(\d+)/.exec(log)?.[1]}/api/v1/pipelines/default/tiny/mode`;
    return (await fetch(url, { method: "PUT", headers, body: '{"mode": "shadow"}' })).status;
  };

  it("takes changes with it though it ends with a line end, and none without it", async () => {
    await start(`${TOKEN}\n`);
    assert.equal(await change(), 401);
    assert.equal(await change({ authorization: `Bearer ${TOKEN}` }), 200);
  });

  it("shows itself under the names that --allowed-host has, and reads no others", async () => {
    await start(TOKEN, {}, ["--allowed-host", "Scaler.example", "--allowed-host", "devbox"]);
    const ask = async (host: string): Promise<number | undefined> => {
      const asked = get(`http://127.0.0.1:${/"http":(\d+)/.exec(log)?.[1]}/metrics`, { headers: { host } });
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    assert.deepEqual(await Promise.all(["scaler.example:80", "devbox", "evil.example"].map(ask)), [200, 200, 401]);
    const wrong = await runVariscale(["scaler", folder.path, "--allowed-host", "http://devbox:80"]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /must be a name alone, as variscale\.example/);
  });

  it("takes changes from its machine where the variable is empty, and in a pod from nobody", async () => {
    const outside = { KUBERNETES_SERVICE_HOST: "" };
    await start("", outside);
    assert.equal(await change(), isInPod({ ...process.env, ...outside }) ? 403 : 200);
    scaler.kill();
    await once(scaler, "exit");
    await start("", { KUBERNETES_SERVICE_HOST: "127.0.0.1" });
    assert.equal(await change(), 403);
    assert.match(log, /changes over HTTP are refused: VARISCALE_TOKEN is not set/);
  });
});
