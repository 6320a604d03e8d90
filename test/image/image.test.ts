import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { after, afterEach, before, describe, it } from "mocha";
import { packageFolder, packageVersion } from "../../runtime/version.ts";
import { Container, runToEnd } from "./container.ts";
import { SWITCHER, writeSwitcherFolder } from "./switcher-folder.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as Manifest;
const ID_CARD = "/app/pipelines/id-card";
const ON_LOOPBACK = ["--host", "127.0.0.1"];
const SCALER = ["scaler", ID_CARD, ...ON_LOOPBACK, "--keda-port=0", "--switcher-port=0", "--http-port=0"];

function outputOf(...command: readonly string[]): string {
  const { status, stdout, stderr } = runToEnd(command);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function healthOf(port: number): Promise<string> {
  const { Check } = healthService as unknown as {
    Check: {
      path: string;
      requestSerialize: (value: object) => Buffer;
      responseDeserialize: (bytes: Buffer) => { status: string };
    };
  };
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(Check.path, Check.requestSerialize, Check.responseDeserialize, {}, (error, value) => {
      client.close();
      if (error) reject(error);
      else resolve(value?.status ?? "none");
    });
  });
}

describe("the image", () => {
  let container: Container | null = null;
  const start = (command: readonly string[], engine: readonly string[] = []): Container => {
    container = new Container(command, { engine });
    return container;
  };

  afterEach(() => {
    container?.remove();
    container = null;
  });

  it("has the command, its version and its help", () => {
    assert.equal(outputOf("--version"), packageVersion);
    assert.match(outputOf("scaler", "--help"), /^Usage: variscale scaler /);
    assert.match(outputOf("switcher", "--help"), /^Usage: variscale switcher /);
    assert.match(outputOf(), /^Usage: variscale /);
  });

  it("ends with the command's own exit code", () => {
    const { status, stderr } = runToEnd(["scaler", "/nowhere"]);
    assert.equal(status, 1);
    assert.match(stderr, /\/nowhere can't be read/);
  });

  it("runs the scaler read-only and without privileges; it answers, and SIGTERM ends it with 0", async () => {
    const scaler = start(SCALER, ["--tmpfs=/var/lib/variscale:mode=0777"]);
    const { keda = 0, switchers = 0, http = 0 } = await scaler.ports("scaler started");
    await scaler.waitFor(`http://127.0.0.1:${http}/healthz`);
    await scaler.waitFor(`http://127.0.0.1:${http}/readyz`);
    assert.equal(await healthOf(keda), "SERVING");
    assert.equal(await healthOf(switchers), "SERVING");

    assert.notEqual(scaler.exec("id", "-u"), "0");
    assert.match(scaler.exec("cat", "/proc/1/status"), /^CapEff:\s+0+$/m);
    assert.equal(
      scaler.exec("cat", "/proc/1/cmdline").split("\0").slice(0, 3).join(" "),
      "node --v8-pool-size=1 --max-semi-space-size=1",
    );
    assert.equal(scaler.exec("printenv", "NODE_ENV"), "production");
    // Installed models are here, and those that are prepared without --model-folder.
    assert.equal(scaler.exec("printenv", "XDG_CACHE_HOME"), "/var/cache");
    assert.equal(scaler.exec("stat", "-c", "%u", "/var/cache/variscale"), "1000");
    assert.notEqual(scaler.tryExec("touch", "/app/file").status, 0);
    assert.notEqual(scaler.exec("ls", "/var/lib/variscale"), "", "no state was written");

    assert.equal(scaler.stop(), 0, scaler.logs());
    assert.match(scaler.logs(), /scaler stopped/);
  });

  it("says what is wrong where its state folder can't be written, and serves all the same", async () => {
    const scaler = start(SCALER);
    const { http = 0 } = await scaler.ports("scaler started");
    await scaler.waitFor(`http://127.0.0.1:${http}/readyz`);
    assert.match(scaler.logs(), /"condition":"StateSaved"/);
    assert.equal(scaler.stop(), 0, scaler.logs());
  });

  it("runs the gateway, with the pipeline's own code and its native image library", async () => {
    const endpoints = ["--endpoint=detection=127.0.0.1:1", "--endpoint=recognition=127.0.0.1:1"];
    const gateway = start(["gateway", ID_CARD, ...ON_LOOPBACK, "--port=0", ...endpoints]);
    const { http = 0 } = await gateway.ports("listening");
    await gateway.waitFor(`http://127.0.0.1:${http}/healthz`);
    const card = readFileSync(join(packageFolder, "pipelines/id-card/data/cards/0001.jpg"));
    const url = `http://127.0.0.1:${http}/v1/pipelines/default/id-card`;
    const post = (body: Buffer): Promise<Response> =>
      fetch(url, { method: "POST", headers: { "content-type": "image/jpeg" }, body: new Uint8Array(body) });
    // It was decoded, and held until its deadline for a replica that can be reached.
    assert.equal((await post(card)).status, 503);
    assert.equal((await post(Buffer.from("no image"))).status, 400);
    assert.equal(gateway.stop(), 0, gateway.logs());
  });

  describe("as a switcher", () => {
    let folder: string;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), "variscale-image-"));
      writeSwitcherFolder(folder);
    });

    after(() => rmSync(folder, { recursive: true, force: true }));

    it("serves a model that is mounted, read-only and without privileges, and SIGTERM ends it with 0", async () => {
      const switcher = start(SWITCHER, [`--volume=${folder}:/models:ro`]);
      const { http = 0 } = await switcher.ports("listening");
      const url = `http://127.0.0.1:${http}/v2`;
      await switcher.waitFor(`${url}/health/ready`);
      const input = { name: "x", datatype: "FP32", shape: [1, 2], data: [3, 4] };
      const answer = await fetch(`${url}/models/affine/infer`, {
        method: "POST",
        body: JSON.stringify({ inputs: [input] }),
      });
      const { outputs } = (await answer.json()) as { outputs: readonly { data: readonly number[] }[] };
      assert.deepEqual(outputs[0]?.data, [7, 9]);
      assert.equal(switcher.stop(), 0, switcher.logs());
    });
  });

  it("carries its dependencies and no development dependency, and only the libraries of its own platform", () => {
    const list =
      "console.log(JSON.stringify(process.argv.slice(1).map(path => fs.existsSync(path) ? fs.readdirSync(path) : [])))";
    const filesOf = (...paths: readonly string[]): string[][] =>
      JSON.parse(runToEnd(["-e", list, ...paths], { engine: ["--entrypoint=node"] }).stdout) as string[][];
    const modules = (names: readonly string[]): string[][] =>
      filesOf(...names.map(name => `/app/node_modules/${name}`));
    const dependencies = Object.keys(manifest.dependencies);
    assert.deepEqual(
      modules(dependencies).flatMap((files, i) => (files.length > 0 ? [dependencies[i]] : [])),
      dependencies,
    );
    // A dependency may have the same types as we do.
    const others = Object.keys(manifest.devDependencies).filter(name => !name.startsWith("@types/"));
    assert.deepEqual(modules(others).flat(), []);
    const onnxruntime = "/app/node_modules/onnxruntime-node/bin/napi-v6";
    const [dist = [], platforms, architectures = []] = filesOf("/app/dist", onnxruntime, `${onnxruntime}/linux`);
    assert.deepEqual(
      dist.filter(name => name === "test" || name === "bench"),
      [],
    );
    assert.deepEqual(platforms, ["linux"]);
    assert.equal(architectures.length, 1);
  });
});
