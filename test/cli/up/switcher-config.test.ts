import assert from "node:assert/strict";
import { after, describe, it } from "mocha";
import { stringify } from "yaml";
import { findCrowding, switcherConfig } from "../../../cli/up/switcher-config.ts";
import { parsePipelineFile } from "../../../domain/pipeline-file.ts";
import { parseSwitcherConfig } from "../../../variant-switcher/parse-config.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../../support/switcher-harness.ts";

/** Of FP32. */
const base64 = (...numbers: readonly number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString("base64");

describe("switcherConfig()", () => {
  const folder = new TestFolder();
  after(() => folder.delete());

  /** The stage of affineConfig() in a pipeline file. */
  const configOf = (above: object, remoteUrl: string) => {
    const { contract, variants: own } = affineConfig(folder.path) as { contract: object; variants: object[] };
    const remote = { name: "far", driver: "remote", model: "affine", url: remoteUrl };
    const stage = { name: "affine", defaultVariant: "a", contract, variants: [...own, remote], ...above };
    const file = {
      apiVersion: "variscale.dev/v1alpha1",
      kind: "InferencePipeline",
      metadata: { name: "test" },
      spec: { slo: { latencyMs: 500 }, stages: [stage] },
    };
    const parsed = parsePipelineFile(stringify(file), () => null);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const [first] = parsed.pipeline.stages;
    assert.ok(first);
    const crowding = findCrowding(parsed.pipeline, 1.5);
    const context = {
      host: "127.0.0.1",
      modelFolder: folder.path,
      logLevel: "silent",
      stateFile: "s",
      crowding,
    } as const;
    return JSON.parse(
      JSON.stringify(switcherConfig(parsed.pipeline, first, "affine-0", { ...context, scalerAddress: "127.0.0.1:1" })),
    ) as Record<string, unknown>;
  };

  it("tells replicas to leave room for each other where they may need more cores than the machine has", () => {
    const crowding = (max: number): number => {
      const config = configOf({ replicas: { min: 1, max }, cores: 0.5 }, "http://127.0.0.1:9000");
      return parseSwitcherConfig(config).crowding;
    };
    assert.deepEqual([crowding(3), crowding(4)], [1, 2]);
    const config = configOf({}, "http://127.0.0.1:9000");
    assert.throws(() => parseSwitcherConfig({ ...config, crowding: 0.5 }), /crowding/);
  });

  it("carries all that a stage may say of a switcher", () => {
    const x = { name: "x", shape: [1, 2], data: base64(1, 2) };
    const config = configOf(
      {
        golden: [{ variant: "a", inputs: [x], outputs: [{ name: "y", shape: [1, 2], data: base64(3, 5) }] }],
        accuracy: { output: "y", confidence: "max", thresholds: { a: 0.5 }, rowLength: 2 },
      },
      "http://127.0.0.1:9000",
    );
    const { golden, accuracy, variants } = parseSwitcherConfig(config);
    assert.deepEqual(
      golden.map(({ variant, tolerance, outputs }) => [variant, tolerance, [...(outputs[0]?.bytes ?? [])]]),
      [["a", 1e-3, [...Buffer.from(base64(3, 5), "base64")]]],
    );
    assert.deepEqual(accuracy, {
      output: "y",
      confidence: "max",
      thresholds: { a: 0.5 },
      range: null,
      rowLength: 2,
      classes: false,
    });
    const { driver, model, url, sha256 } = variants.at(-1) ?? {};
    assert.deepEqual([driver, model, url, sha256], ["remote", "affine", "http://127.0.0.1:9000", null]);
  });

  it("makes a switcher that keeps the golden outputs, and serves from another server", async () => {
    const remote = await TestSwitcher.startReady(affineConfig(folder.path, { modelControl: "explicit" }));
    const x = { name: "x", shape: [1, 2], data: base64(1, 2) };
    const golden = [
      { variant: "a", inputs: [x], outputs: [{ name: "y", shape: [1, 2], data: base64(3, 5) }] },
      { variant: "b", inputs: [x], outputs: [{ name: "y", shape: [1, 2], data: base64(3, 5) }] },
    ];
    const config = configOf({ golden }, `http://127.0.0.1:${remote.switcher.ports.http}`);
    const switcher = await TestSwitcher.startReady({ ...config, scalerAddress: null });
    try {
      assert.match(await (await switcher.pin("b")).text(), /golden_mismatch/);
      assert.equal((await switcher.pin("far")).status, 200);
      const { body } = await switcher.infer([3]);
      assert.deepEqual([body.model_version, body.outputs?.[0]?.data], ["far", [7, 7]]);
    } finally {
      await switcher.close();
      await remote.close();
    }
  });
});
