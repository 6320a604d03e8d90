import assert from "node:assert/strict";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { EmulatedSession } from "../../variant-switcher/emulated-session.ts";
import { gammaSample } from "../../variant-switcher/gamma-sample.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { AFFINE_CONTRACT } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

describe("gammaSample()", () => {
  it("has the mean and the spread that it is asked for", () => {
    for (const [mean, scv] of [
      [10, 0.02],
      [3, 0.5],
      [1, 1],
      [5, 4],
    ] as const) {
      const random = seededRandom(7);
      const samples = Array.from({ length: 200_000 }, () => gammaSample(mean, scv, random));
      const found = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
      const variance = samples.reduce((sum, sample) => sum + (sample - found) ** 2, 0) / samples.length;
      assert.ok(Math.abs(found / mean - 1) < 0.02, `mean ${found} for ${mean}`);
      assert.ok(Math.abs(variance / mean ** 2 / scv - 1) < 0.06, `spread ${variance / mean ** 2} for ${scv}`);
    }
  });

  it("is positive and finite whatever it is asked for", () => {
    const inputs = [
      fc.double({ min: 1e-3, max: 1e7, noNaN: true }),
      fc.double({ min: 0, max: 100, noNaN: true }),
    ] as const;
    fc.assert(
      fc.property(...inputs, fc.nat(), (mean, scv, seed) => {
        const sample = gammaSample(mean, scv, seededRandom(seed));
        assert.ok(Number.isFinite(sample) && sample >= 0, String(sample));
      }),
    );
  });
});

describe("the driver emulated", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher | null = null;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    await switcher?.close();
    folder.delete();
  });

  const points = [
    { batch: 1, latencyMs: 20, scv: 0 },
    { batch: 4, latencyMs: 50, scv: 0 },
  ];

  it("serves the Profile's times, one batch after the other, and says that nothing was computed", async () => {
    const variants = [{ name: "e", driver: "emulated", model: "e.onnx", points, loadMs: 30 }];
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant: "e" }));
    const startMs = performance.now();
    const answers = await Promise.all([1, 2, 3].map(row => switcher?.infer([row])));
    assert.ok(performance.now() - startMs >= 60, "three batches of 20 ms");
    for (const answer of answers) {
      assert.equal(answer?.status, 200);
      assert.deepEqual(answer?.body.outputs?.[0]?.data, [0, 0]);
      const { parameters = {} } = (answer?.body ?? {}) as { parameters?: Record<string, unknown> };
      assert.deepEqual([parameters["variant"], parameters["emulated"]], ["e", true]);
      assert.ok(Number(parameters["row_ms"]) >= 19, JSON.stringify(parameters));
    }
    const metadata = (await (await switcher.http("/v2/models/affine")).json()) as { platform: string };
    assert.equal(metadata.platform, "variscale_emulated");
    const client = new InferenceClient(switcher.switcher.ports.grpc);
    const { parameters } = await client.call<{ parameters: Record<string, { boolParam?: boolean }> }>("ModelInfer", {
      modelName: "affine",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
      rawInputContents: [Buffer.alloc(8)],
    });
    assert.equal(parameters["emulated"]?.boolParam, true);
    client.close();
    const [load] = (await switcher.switches())[0]?.steps ?? [];
    assert.ok(load?.step === "load" && load.ms >= 30, JSON.stringify(load));
  });

  it("keeps the rate although timers are late", async () => {
    const session = new EmulatedSession(
      { name: "e", points: [{ batch: 1, latencyMs: 2.5, scv: 0 }] },
      AFFINE_CONTRACT,
      Math.random,
    );
    const input = { name: "x", datatype: "FP32", shape: [1, 2], data: new ArrayBuffer(8), bytes: 8 } as const;
    const startMs = performance.now();
    await Promise.all(Array.from({ length: 40 }, () => session.run([input], ["y"])));
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs >= 100, `${tookMs} ms`);
    const three = (await session.run([{ ...input, shape: [3, 2] }], ["y"])) as { serviceMs: number };
    assert.equal(three.serviceMs, 7.5);
  });

  it("refuses what an emulation can't have", () => {
    const parse = (variant: object, above: object = {}) =>
      parseSwitcherConfig(
        affineConfig(folder.path, { variants: [{ name: "e", ...variant }], defaultVariant: "e", ...above }),
      );
    assert.throws(
      () => parse({ driver: "emulated" }),
      /variants\[0\]\.points .* it must say how long the emulated batches take/,
    );
    assert.throws(
      () => parse({ driver: "emulated", points: points.toReversed() }),
      /points is .*; it must have its batches in ascending order/,
    );
    assert.throws(
      () => parse({ driver: "emulated", points, url: "http://127.0.0.1:1" }),
      /url .* is for the driver remote alone/,
    );
    assert.throws(() => parse({ driver: "nothing" }), /driver is "nothing"; it must be one of onnx, remote, emulated/);
    const golden = [{ variant: "e", inputs: [], outputs: [] }];
    assert.throws(() => parse({ driver: "emulated", points }, { golden }), /golden\[0\]\.variant/);
  });
});
