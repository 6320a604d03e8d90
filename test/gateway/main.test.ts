import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "mocha";
import { until } from "./number-pipeline.ts";
import { type Replica, startEchoReplica, startSlowReplica } from "./replicas.ts";

const cli = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const entry = fileURLToPath(new URL("./gateway-process.js", import.meta.url));

describe("runGateway()", () => {
  let folder: string;
  let replica: Replica;
  let file: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-gateway-"));
    replica = await startEchoReplica();
    file = join(folder, "pipeline.yaml");
    const tensor = (name: string, type: string, size: number) =>
      `[{ name: ${name}, datatype: ${type}, shape: [-1, ${size}] }]`;
    writeFileSync(
      file,
      `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: p, namespace: n }
spec:
  slo: { latencyMs: 3000 }
  code: ./code.mjs
  stages:
    - name: s
      contract: { inputs: ${tensor("x", "UINT8", 2)}, outputs: ${tensor("y", "FP32", 1)} }
      defaultVariant: light
      variants: [{ name: light, model: m.onnx, sha256: "${"0".repeat(64)}" }]
`,
    );
    writeFileSync(
      join(folder, "code.mjs"),
      `export default {
        decode: body => ({ x: Number(Buffer.from(body).toString()) }),
        stages: { s: {
          rows: c => [{ x: { datatype: "UINT8", shape: [2], data: new Uint8Array([c.x, 0]) } }],
          collect: (c, [o]) => { c.y = o.y.data[0]; } } },
        respond: c => c.y };`,
    );
  });

  after(async () => {
    await replica.close();
    rmSync(folder, { recursive: true });
  });

  const started = async (child: ChildProcess): Promise<string> => {
    const [message] = await once(child, "message");
    assert.equal(message.kind, "listening");
    return `http://127.0.0.1:${message.ports.http}`;
  };

  it("serves the endpoints that its parent sends, and exits when the parent goes away", async () => {
    const child = fork(entry, [file]);
    const url = await started(child);
    assert.equal((await fetch(`${url}/readyz`)).status, 503);
    child.send({ kind: "endpoints", stages: { s: [{ address: replica.address }] } });
    const response = await fetch(`${url}/v1/pipelines/n/p`, { method: "POST", body: "7" });
    assert.equal(await response.text(), "7");
    child.disconnect();
    const [exitCode] = await once(child, "exit");
    assert.equal(exitCode, 0);
  });

  it("asks a replica for the model that its endpoint names, else for that of the stage's name", async () => {
    for (const [endpoint, model] of [
      [`s=${replica.address}/digits+heavy`, "digits%2Bheavy"],
      [`s=${replica.address}`, "s"],
    ] as const) {
      const child = fork(entry, [file, endpoint]);
      try {
        const response = await fetch(`${await started(child)}/v1/pipelines/n/p`, { method: "POST", body: "7" });
        assert.equal(await response.text(), "7");
        assert.equal(replica.calls.at(-1)?.path, `/v2/models/${model}/infer`);
      } finally {
        child.disconnect();
        await once(child, "exit");
      }
    }
  });

  it("answers what it has and exits with 0 on SIGTERM", async () => {
    const slow = await startSlowReplica(200);
    const child = fork(entry, [file, `s=${slow.address}`]);
    const url = await started(child);
    const running = fetch(`${url}/v1/pipelines/n/p`, { method: "POST", body: "9" });
    await until(() => slow.calls.length === 1);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    assert.equal(await (await running).text(), "9");
    assert.deepEqual(await exited, [0, null]);
    await slow.close();
  });

  it("names the option that chooses another port where its own is taken", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as AddressInfo;
    const command = [cli, "gateway", file, "--endpoint", "s=127.0.0.1:1", "--host", "127.0.0.1", "--port", `${port}`];
    const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", data => {
      text += data;
    });
    const [exitCode] = await once(child, "exit");
    blocker.close();
    assert.equal(exitCode, 1);
    assert.match(text, new RegExp(`cannot listen on 127.0.0.1:${port}: .*choose another one by --port`));
  });

  it("says what is wrong with its arguments", async () => {
    const run = async (args: readonly string[]): Promise<string> => {
      const child = spawn(process.execPath, [entry, ...args], { stdio: ["ignore", "ignore", "pipe"] });
      let text = "";
      child.stderr.on("data", data => {
        text += data;
      });
      const [exitCode] = await once(child, "exit");
      assert.equal(exitCode, 2);
      return text;
    };
    const voting = join(folder, "voting.yaml");
    const policy = "slo: { latencyMs: 3000 }\n  mode: active\n  objective: { policy: cocktail }";
    const text = readFileSync(file, "utf8").replace("slo: { latencyMs: 3000 }", policy);
    writeFileSync(voting, text.replace("defaultVariant:", "votes: { correlation: 0.5 }\n      defaultVariant:"));
    const [missing, invalid, noEndpoint, noVariant, noVote, noVotes] = await Promise.all([
      run([join(folder, "none.yaml")]),
      run([join(folder, "code.mjs")]),
      run([file]),
      run([file, "s/dark=127.0.0.1:1"]),
      run([file, "s/light=127.0.0.1:1"]),
      run([voting, "s=127.0.0.1:1"]),
    ]);
    assert.match(missing, /none\.yaml can't be read: ENOENT.*Name an existing pipeline file/);
    assert.match(invalid, /code\.mjs is not valid:/);
    assert.match(noEndpoint, /Write `--endpoint stage=host:port`/);
    assert.match(noVariant, /for a variant that stage `s` does not have\. Write one of: light\./);
    assert.match(noVotes, /`stages\.s` of the pipeline's code has no `vote`/);
    assert.match(noVote, /the code of stage `s` joins no votes\. Give it a `vote`/);
  });
});
