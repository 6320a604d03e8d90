import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, it } from "mocha";
import { isRefused, type OpenOptions, type OpenSession } from "../../variant-switcher/driver.ts";
import { openOnnx } from "../../variant-switcher/session.ts";
import { SessionThread } from "../../variant-switcher/session-thread.ts";
import { SpareThread } from "../../variant-switcher/spare-thread.ts";
import { AFFINE_CONTRACT, affineModel, writeModel } from "../support/models.ts";
import { AFFINE, affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

/** How many threads this process has started, this one included. */
async function threadsStarted(): Promise<number> {
  const thread = new Worker("", { eval: true });
  const { threadId } = thread;
  await thread.terminate();
  return threadId;
}

const LARGE_BYTES = 32 * 1024 * 1024;

/** Writes a model of one matrix with this many bytes; by another process, whose garbage is not in this one's memory. */
function writeWideModel(
  folder: string,
  name: string,
  bytes: number,
): { readonly model: string; readonly sha256: string } {
  const [rows, columns] = [bytes / 4 / 32, 32];
  const urls = ["../support/onnx-model.js", "../support/models.js"].map(path => new URL(path, import.meta.url).href);
  const code = `
    const [{ encodeModel }, { writeModel }] = await Promise.all(${JSON.stringify(urls)}.map(url => import(url)));
    const model = encodeModel({
      inputs: [{ name: "x", type: "FP32", shape: ["n", ${rows}] }],
      outputs: [{ name: "y", type: "FP32", shape: ["n", ${columns}] }],
      nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
      weights: { w: { shape: [${rows}, ${columns}], values: new Array(${rows * columns}).fill(1) } },
    });
    console.log(JSON.stringify(writeModel(${JSON.stringify(folder)}, ${JSON.stringify(name)}, model)));`;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }));
}

describe("SpareThread", () => {
  let folder: TestFolder;
  let spare: SpareThread;
  const opened: OpenSession[] = [];

  beforeEach(() => {
    folder = new TestFolder();
    spare = new SpareThread();
  });
  afterEach(async () => {
    await Promise.all([spare.close(), ...opened.splice(0).map(session => session.close())]);
    folder.delete();
  });

  const open = async (name: string, scale: number, more: Partial<OpenOptions> = {}): Promise<OpenSession> => {
    const variant = { driver: "onnx", ...writeModel(folder.path, name, affineModel(scale, 0)) };
    const options = { variant, contract: AFFINE_CONTRACT, modelFolder: folder.path, threads: 1, spare, ...more };
    const session = await openOnnx(options as unknown as OpenOptions, new AbortController().signal);
    if (isRefused(session)) throw new Error(session.message);
    opened.push(session);
    return session;
  };
  /** The script of a thread that does this with every message. */
  const worker = (code: string): URL =>
    new URL(
      `data:text/javascript,import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { ${code} });`,
    );
  const answer = async (session: OpenSession): Promise<readonly number[]> => {
    const data = new Float32Array([1, 2]).buffer;
    const input = { name: "x", datatype: "FP32", shape: [1, 2], data, bytes: 8 } as const;
    const result = await session.run([input], ["y"], 0);
    assert.equal(result.kind, "ran", JSON.stringify(result));
    if (result.kind !== "ran") return [];
    const [{ bytes } = { bytes: new Uint8Array() }] = result.outputs;
    return [...new Float32Array(bytes.slice().buffer)];
  };

  it("lets the next session have the thread of the one before, and nothing of its model", async () => {
    const first = await open("double", 2);
    assert.deepEqual(await answer(first), [2, 4]);
    const before = await threadsStarted();
    await first.close(spare);
    assert.ok(spare.isKept);
    const second = await open("triple", 3);
    assert.equal(spare.isKept, false);
    assert.deepEqual(await answer(second), [3, 6]);
    assert.equal((await threadsStarted()) - before, 1);
  });

  it("is never ended by the session that had it before", async () => {
    const first = await open("double", 2);
    await first.close(spare);
    const second = await open("triple", 3);
    await first.close();
    assert.equal(first.isLost, true);
    assert.deepEqual(await first.run([], ["y"], 0), { kind: "lost", reason: "closed" });
    assert.deepEqual(await answer(second), [3, 6]);
  });

  it("keeps one thread, and none that works", async () => {
    const [first, second, third] = [await open("double", 2), await open("triple", 3), await open("quadruple", 4)];
    const isLost = assert.rejects(answer(third), /closed/);
    await third.close(spare);
    await isLost;
    assert.equal(spare.isKept, false);
    await first.close(spare);
    await second.close(spare);
    const kept = spare.take();
    assert.ok(kept);
    assert.equal(spare.take(), null);
    await kept.close("not needed");
  });

  it("does not give a thread that died meanwhile", async () => {
    const first = await open("double", 2);
    await first.close(spare);
    const kept = spare.take();
    await kept?.close("died");
    assert.equal(kept && (await spare.keep(kept)), false);
    assert.equal(spare.take(), null);
    assert.deepEqual(await answer(await open("triple", 3)), [3, 6]);
  });

  it("is nobody's before its model is released", async () => {
    const first = await open("double", 2);
    const closed = first.close(spare);
    assert.equal(spare.take(), null);
    const second = await open("triple", 3);
    await closed;
    assert.deepEqual(await answer(second), [3, 6]);
    assert.ok(spare.isKept);
  });

  it("is not blamed on the next model if it dies of what was in it before", async () => {
    const dying = new SessionThread(worker("process.exit(1)"));
    const session = await open("double", 2, { spare: { take: () => dying } as SpareThread });
    assert.equal(dying.isLost, true);
    assert.deepEqual(await answer(session), [2, 4]);
  });

  it("keeps no thread that does not give up its model", async () => {
    const silent = new SessionThread(worker(""));
    assert.equal(await spare.keep(silent), false);
    assert.deepEqual([silent.isLost, spare.take()], [true, null]);
    await (await open("double", 2)).close(spare);
    assert.ok(spare.isKept);
  });

  it("ends with a model that can't be loaded", async () => {
    await (await open("double", 2)).close(spare);
    await assert.rejects(open("triple", 3, { modelFolder: `${folder.path}/elsewhere` }), /can't be read/);
    assert.deepEqual([spare.isKept, spare.take()], [false, null]);
  });

  it("is ended with what nobody took", async () => {
    const first = await open("double", 2);
    await first.close(spare);
    const kept = spare.take();
    assert.equal(kept && (await spare.keep(kept)), true);
    await spare.close();
    assert.equal(kept?.isLost, true);
  });

  it("keeps no copy of the model's file, whose memory the runtime has copied", async () => {
    await (await open("small", 2)).close(spare);
    const variant = { driver: "onnx", ...writeWideModel(folder.path, "large", LARGE_BYTES) };
    const before = process.memoryUsage.rss();
    const options = { variant, contract: AFFINE_CONTRACT, modelFolder: folder.path, threads: 1, spare };
    const session = await openOnnx(options as unknown as OpenOptions, new AbortController().signal);
    assert.ok(!isRefused(session), JSON.stringify(session));
    opened.push(session);
    assert.ok(session.model.fileBytes > LARGE_BYTES);
    const files = (process.memoryUsage.rss() - before) / LARGE_BYTES;
    assert.ok(files < 1.5, `${files} times the file's size is held`);
  });
});

describe("a switcher without room for one more session", () => {
  it("loads the next one in the thread of the one that goes", async () => {
    const folder = new TestFolder();
    const { variants, ...config } = affineConfig(folder.path);
    const large = (variants as readonly object[]).map(variant => ({ ...variant, memoryMiB: 3000 }));
    const memoryMiB = process.memoryUsage.rss() / 2 ** 20 + 2.5 * 3000;
    const switcher = await TestSwitcher.startReady({ ...config, variants: large, memoryMiB });
    try {
      assert.equal((await switcher.pin("b")).status, 200);
      const before = await threadsStarted();
      for (const name of ["c", "a", "b", "c"] as const) {
        assert.equal((await switcher.pin(name)).status, 200);
        const { body } = await switcher.infer([3]);
        assert.deepEqual(body.outputs?.[0]?.data?.[0], AFFINE[name]?.(3));
      }
      assert.equal(Object.values(await switcher.variants()).filter(({ state }) => state === "absent").length, 1);
      assert.equal((await threadsStarted()) - before, 1);
    } finally {
      await switcher.close();
      folder.delete();
    }
  });
});
