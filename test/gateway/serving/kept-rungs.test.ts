import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import type { Pipeline, Stage } from "../../../domain/pipeline.ts";
import { readControls } from "../../../gateway/answer.ts";
import { definePipeline, type PipelineCode, type Row } from "../../../gateway/stage.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../../support/switcher-harness.ts";
import { numberPipeline, stageOf, startNumberGateway, type TestGateway } from "../number-pipeline.ts";
import { type Replica, startEchoReplica } from "../replicas.ts";

const STICKY = "serving: { sticky: { by: x-user-id, ttlMs: 60000 } }";

describe("the variants that requests keep, at a gateway", () => {
  let count: Replica;
  let read: Replica;
  let started: TestGateway;

  before(async () => {
    count = await startEchoReplica("heavy");
    read = await startEchoReplica("heavy");
    started = await startNumberGateway({ count: [count], read: [read] }, { pipeline: numberPipeline(5000, STICKY) });
  });
  after(async () => {
    await started.gateway.close(0);
    await Promise.all([count, read].map(replica => replica.close()));
  });

  /** Sends a request that `variant` serves in the second stage, and gives what the replicas of both were told that it keeps. */
  const send = async (variant: string, headers: Record<string, string>): Promise<readonly (string | undefined)[]> => {
    read.variant = variant;
    assert.equal((await started.post({ numbers: [1] }, headers)).status, 200);
    return [count, read].map(({ calls }) => calls.at(-1)?.atMost);
  };
  const NOTHING = [undefined, undefined];

  it("are told to replicas, of each stage its own", async () => {
    const camera = { "x-sequence-id": "camera-1" };
    assert.deepEqual(await send("light", camera), NOTHING);
    assert.deepEqual(await send("light", camera), ["heavy", "light"]);
    assert.deepEqual(await send("heavy", { "x-sequence-id": "camera-2" }), NOTHING);
  });

  it("go lighter with what a replica had to choose, and are chosen again after their time", async () => {
    const camera = { "x-sequence-id": "camera-3" };
    assert.deepEqual(await send("heavy", camera), NOTHING);
    assert.deepEqual(await send("light", camera), ["heavy", "heavy"]);
    assert.deepEqual(await send("light", camera), ["heavy", "light"]);
    await sleep(2100);
    assert.deepEqual(await send("heavy", camera), NOTHING);
    assert.deepEqual(await send("heavy", camera), ["heavy", "heavy"]);
  });

  it("are kept by a retry of a request, before its sequence, before the header of the pipeline file", async () => {
    const [retry, camera, user] = [{ "x-request-id": "r-1" }, { "x-sequence-id": "camera-4" }, { "x-user-id": "ann" }];
    await send("light", user);
    await send("heavy", camera);
    await send("light", retry);
    assert.deepEqual(await send("light", { ...retry, ...camera, ...user }), ["heavy", "light"]);
    assert.deepEqual(await send("heavy", { ...camera, ...user }), ["heavy", "heavy"]);
    assert.deepEqual(await send("light", { ...user, "x-request-id": "r-2" }), ["heavy", "light"]);
    assert.deepEqual(await send("heavy", { "x-user-id": "bob" }), NOTHING);
    assert.deepEqual(await send("heavy", {}), NOTHING, "an id of the gateway's own is no retry's");
  });

  it("give way to a variant that a request asks for", async () => {
    const camera = { "x-sequence-id": "camera-5" };
    await send("light", camera);
    assert.deepEqual(await send("heavy", { ...camera, "x-variscale-variant": "read=heavy" }), ["heavy", undefined]);
    assert.deepEqual(await send("light", camera), ["heavy", "light"]);
  });

  it("are of bounded keys, whatever the headers say", () => {
    const value = fc.oneof(fc.string(), fc.string({ minLength: 1000, maxLength: 5000 }), fc.constant(undefined));
    const headers = fc.record({ "x-request-id": value, "x-sequence-id": value, "x-user-id": value });
    const pipeline = numberPipeline(5000, STICKY);
    fc.assert(
      fc.property(headers, given => {
        const controls = readControls(given as Record<string, string>, pipeline);
        assert.ok(typeof controls !== "string" && controls.keys.length <= 3);
        for (const { text } of controls.keys) assert.ok(/^(request|sequence|sticky) [!-~]{1,128}$/.test(text), text);
      }),
    );
  });
});

const code = definePipeline<{ readonly numbers: readonly number[] }, unknown>({
  decode: body => ({ numbers: JSON.parse(Buffer.from(body).toString()) as number[] }),
  stages: {
    affine: {
      rows: ({ numbers }) =>
        numbers.map((n): Row => ({ x: { datatype: "FP32", shape: [2], data: new Float32Array([n, n]) } })),
      collect: () => undefined,
    },
  },
  respond: () => "done",
});

/** A batch of `heavy` has no time in a request with so little of it, one of `light` has. */
const HEAVY_MS = 600;
const LITTLE_MS = 500;

describe("the variants that requests keep, at a gateway over two real replicas", () => {
  let folder: TestFolder;
  let switchers: TestSwitcher[];
  let started: TestGateway;
  /** The replica that the next request goes to, while none has anything to do. */
  let next: 0 | 1 = 0;

  before(async () => {
    folder = new TestFolder();
    const variants = [
      { driver: "emulated", name: "heavy", points: [{ batch: 1, latencyMs: HEAVY_MS }] },
      { driver: "emulated", name: "light", points: [{ batch: 1, latencyMs: 1 }] },
    ];
    const configs = ["affine-0", "affine-1"].map(pod =>
      affineConfig(folder.path, { pod, variants, defaultVariant: "heavy" }),
    );
    switchers = await Promise.all(configs.map(config => TestSwitcher.start(config)));
    for (const switcher of switchers)
      await until(async () => {
        const { heavy, light } = await switcher.variants();
        return heavy?.state === "serving" && light?.state === "resident";
      }, "both rungs");
    const base = numberPipeline(8000, STICKY);
    const contract = affineConfig(folder.path)["contract"] as Stage["contract"];
    const pipeline: Pipeline = {
      ...base,
      stages: [{ ...stageOf(base, "read"), name: "affine", dependsOn: [], upstream: null, contract }],
    };
    started = await startNumberGateway({}, { pipeline, code: code as PipelineCode, random: () => 0.99 * next });
    started.setEndpoints({
      affine: switchers.map(({ switcher }) => ({ address: `127.0.0.1:${switcher.ports.http}` })),
    });
    // One more request like the recent ones must have time, too: most of them have much.
    for (const replica of [0, 1] as const) {
      next = replica;
      for (let i = 0; i < 3; i += 1) assert.equal(await send({}), "heavy");
    }
  });
  after(async () => {
    await started.gateway.close(0);
    await Promise.all(switchers.map(switcher => switcher.close()));
    folder.delete();
  });

  const send = async (headers: Record<string, string>, isUrgent = false): Promise<string | undefined> => {
    const timeout = isUrgent ? { "x-request-timeout-ms": String(LITTLE_MS) } : undefined;
    const response = await started.post([1], { ...headers, ...timeout });
    assert.equal(response.status, 200, await response.clone().text());
    return response.headers.get("x-variscale-variants")?.replace("affine=", "");
  };
  const countBatches = async (): Promise<readonly number[]> =>
    await Promise.all(
      switchers.map(async switcher =>
        [...(await switcher.metrics()).matchAll(/^variscale_switcher_batch_rows_count\{.*\} (\d+)$/gm)].reduce(
          (sum, [, count]) => sum + Number(count),
          0,
        ),
      ),
    );

  for (const [name, headers, other] of [
    ["a sequence", { "x-sequence-id": "camera-1" }, { "x-sequence-id": "camera-2" }],
    ["a retry", { "x-request-id": "r-1" }, { "x-request-id": "r-2" }],
    ["the header of the pipeline file", { "x-user-id": "ann" }, { "x-user-id": "bob" }],
  ] as const)
    it(`are kept over replicas, by ${name}`, async () => {
      next = 0;
      assert.equal(await send(headers, true), "light");
      const before = await countBatches();
      next = 1;
      assert.equal(await send(headers), "light");
      const afterwards = await countBatches();
      assert.deepEqual(
        afterwards.map((batches, i) => batches - (before[i] ?? 0)),
        [0, 1],
        "the other replica serves it",
      );
      assert.equal(await send(other), "heavy");
      assert.equal(await send({ ...headers, "x-variscale-variant": "affine=heavy" }), "heavy");
    });
});
