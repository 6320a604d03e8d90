import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { formatMeasurements } from "../../cli/format-measurements.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { runProfile } from "../../profiler/main.ts";
import { openSession } from "../../profiler/open-session.ts";
import { visitVariant } from "../../profiler/visit-variant.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { AFFINE_CONTRACT, affineModel, writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

const rowOf = (value: number) => ({
  x: { datatype: "FP32" as const, shape: [2], data: new Float32Array([value, value]) },
});
const ROWS = Array.from({ length: 16 }, (_, i) => rowOf(i));

describe("a profile of remote variants", function () {
  this.timeout(300_000);

  let models: TestFolder;
  const running: { close(): Promise<void> }[] = [];

  beforeEach(() => {
    models = new TestFolder();
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.close();
    models.delete();
  });

  /** Another server of the protocol with the repository extension, a switcher: its model doubles and adds `offset`. */
  async function startServer(name: string, offset: number, above: Record<string, unknown> = {}): Promise<string> {
    const variants = [writeModel(models.path, name, affineModel(2, offset))];
    const control = { stage: name, variants, defaultVariant: name, modelControl: "explicit" };
    const server = await TestSwitcher.startReady(affineConfig(models.path, { ...control, ...above }));
    running.push(server);
    return `http://127.0.0.1:${server.switcher.ports.http}`;
  }

  async function startFake(): Promise<FakeModelServer> {
    const server = await FakeModelServer.start();
    running.push(server);
    return server;
  }

  const options = (refused: string[]) => ({
    label: "affine/small",
    windowMs: 5,
    batches: null,
    onPoint: () => undefined,
    onRefused: (batch: number, message: string) => refused.push(`${batch}: ${message}`),
  });

  it("has service times and accuracy as of models in files, beside variants that are", async () => {
    const folder = writeOffsetPipeline();
    try {
      const file = join(folder, "pipeline.yaml");
      const text = readFileSync(file, "utf8");
      const remote = async (name: string, offset: number): Promise<string> =>
        `{ name: ${name.split("-")[1]}, driver: remote, model: ${name}, url: "${await startServer(name, offset)}" }`;
      const light = await remote("first-light", 1);
      const heavy = await remote("second-heavy", 0);
      writeFileSync(
        file,
        text
          .replace(/\{ name: light, model: first-light[^}]*\}/, light)
          .replace(/\{ name: heavy, model: second-heavy[^}]*\}/, heavy),
      );
      const lines: string[] = [];
      const { measurements } = await runProfile({
        ...{ target: folder, modelFolder: folder, items: 40, windowMs: 5, acceptNoise: true },
        onProgress: line => lines.push(line),
      });
      assert.deepEqual(
        measurements.accuracy?.combinations?.map(({ accuracy, partAccuracy }) => [accuracy, partAccuracy]),
        [
          [0, 0],
          [0.5, 0.5],
          [0.5, 0.5],
          [1, 1],
        ],
      );
      const [first] = readPipeline(file).stages;
      assert.deepEqual(
        first?.variants.map(({ driver, accuracy }) => [driver, accuracy]),
        [
          ["remote", 0.5],
          ["onnx", 1],
        ],
      );
      const [far, near] = first?.variants.map(({ profile }) => profile) ?? [];
      assert.deepEqual(
        far?.points.slice(0, 3).map(({ batch, latencyMs, cpuMs }) => [batch, latencyMs > 0, cpuMs]),
        [1, 2, 4].map(batch => [batch, true, undefined]),
      );
      // The memory and the CPU time of another process are not known here.
      assert.ok(far && far.loadMs > 0 && far.memoryMiB === undefined);
      assert.ok((near?.memoryMiB ?? 0) > 0 && (near?.points[0]?.cpuMs ?? 0) > 0);
      const table = formatMeasurements(measurements);
      assert.match(table, /^first +light +50\.0 % +\d+ +– +– +– /m);
      assert.match(table, /^first +heavy +100\.0 % +\d+ +– +– +\d+ /m);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("ends at the largest batch that the server takes, and halves batches that it does not for accuracy", async () => {
    const url = await startServer("small", 3, { queue: { maxRows: 2, maxBytes: 1024 * 1024 } });
    const source = { kind: "remote", url, model: "small", contract: AFFINE_CONTRACT } as const;
    const refused: string[] = [];
    const { windows } = await visitVariant(source, ROWS, options(refused));
    assert.deepEqual(
      windows.map(({ batch }) => batch),
      [1, 2],
    );
    assert.equal(refused.length, 1);
    assert.match(refused[0] ?? "", /^4: small at http:.* refuses a batch: .*4 rows in one request/);
    const session = await openSession(source);
    const outputs = await session.infer(ROWS.slice(0, 7), 7);
    assert.deepEqual(
      outputs.map(({ y }) => [...(y?.data ?? [])]),
      [0, 1, 2, 3, 4, 5, 6].map(value => [2 * value + 3, 2 * value + 3]),
    );
    await session.close();
  });

  it("has the server unload what it loaded for this, and nothing else", async () => {
    const server = await startFake();
    const source = { kind: "remote", url: server.url, model: "x", contract: AFFINE_CONTRACT } as const;
    const once = async (): Promise<string[]> => {
      await visitVariant(source, ROWS, options([]));
      return server.done.splice(0).filter(what => what !== "infer");
    };
    assert.deepEqual(await once(), ["load", "unload"]);
    server.isLoaded = true;
    assert.deepEqual(await once(), []);
    server.isLoaded = false;
    server.answer = { status: 400, json: { error: "no such input" } };
    await assert.rejects(visitVariant(source, ROWS, options([])), /x at http:.* refuses a batch: 400 .*no such input/);
    assert.equal(server.done.at(-1), "unload");
  });

  it("says which server does not answer, which does not have the model, and which breaks the contract", async () => {
    const rejected = (source: object, message: RegExp) =>
      assert.rejects(
        openSession({ kind: "remote", url: "", model: "x", contract: AFFINE_CONTRACT, ...source }),
        (error: unknown) =>
          error instanceof VariscaleError && error.code === "failed_precondition" && message.test(error.message),
      );
    await rejected({ url: "http://127.0.0.1:1" }, /x at http:\/\/127\.0\.0\.1:1 can't be measured: .* does not answer/);
    const url = await startServer("small", 3);
    await rejected({ url }, /x at http:.* can't be measured: x can't be loaded by http:.*: 404 /);
    const server = await startFake();
    server.answer = {
      status: 200,
      json: { outputs: [{ name: "y", datatype: "INT32", shape: [1, 2], data: [1, 2] }] },
    };
    const session = await openSession({ kind: "remote", url: server.url, model: "x", contract: AFFINE_CONTRACT });
    await assert.rejects(session.infer(ROWS.slice(0, 1), 1), /output `y` is INT32 \[1,2\], must be FP32 with 1 rows/);
    await session.close();
  });
});
