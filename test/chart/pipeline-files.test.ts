import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { switcherConfig } from "../../cli/up/switcher-config.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { type KubernetesObject, named, podsOf, refusal, render } from "./helm.ts";

const video = join(packageFolder, "pipelines/video");
const VIDEO = [
  "--set=image.repository=registry.example/variscale",
  `--set-file=pipelines.video.file=${video}/pipeline.yaml`,
  `--set-file=pipelines.video.measurements=${video}/measurements.json`,
  "--set=pipelines.video.models.prepare=true",
] as const;
const ESTIMATORS = `--set-file=pipelines.video.estimators=${video}/drift.json`;

const tensor = (name: string) => ({ name, datatype: "FP32", shape: [-1, 2] });
const number = (name: string) => ({ name, shape: [1, 2], data: Buffer.alloc(8, 1).toString("base64") });
/** A stage with all that a switcher can be told of it. */
const STAGE = {
  name: "score",
  contract: { inputs: [tensor("in")], outputs: [tensor("out")] },
  defaultVariant: "own",
  golden: [{ variant: "own", inputs: [number("in")], outputs: [number("out")] }],
  accuracy: { output: "out", confidence: "softmax", thresholds: { own: 0.7 } },
  variants: [
    { name: "own", model: "own.onnx", sha256: "0".repeat(64), profile: profileOf(3) },
    { name: "other", driver: "remote", model: "other", url: "http://127.0.0.1:9000", profile: profileOf(5) },
    { name: "played", driver: "emulated", model: "played", sha256: "1".repeat(64), profile: profileOf(7) },
  ],
};

/** The threshold of `own` stands in the pipeline file, which wins. */
const LEARNT = {
  apiVersion: "variscale.dev/v1alpha1",
  kind: "PipelineMeasurements",
  machine: {},
  date: "2026-01-01T00:00:00Z",
  stages: {},
  accuracy: {
    stages: {
      score: { own: { accuracy: 0.9, confidenceThreshold: 0.5 }, other: { accuracy: 0.8, confidenceThreshold: 0.25 } },
    },
  },
};

function profileOf(latencyMs: number): object {
  const points = [1, 2].map(batch => ({ batch, latencyMs: latencyMs * batch, scv: 0.1 }));
  return { cores: 1, points, memoryMiB: 10, loadMs: 20 };
}

function valuesOf(spec: object, more: object = {}): string {
  const metadata = { name: "scores" };
  const file = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline", metadata, spec };
  const pipeline = { file, models: { prepare: true }, gateway: { enabled: false }, loadSource: "http://x:1", ...more };
  return `--set-json=pipelines=${JSON.stringify({ scores: pipeline })}`;
}

describe("the files of a pipeline in the chart", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-chart-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Writes what a pod's volume of a ConfigMap would hold. */
  const mount = (objects: readonly KubernetesObject[], pod: string): Pipeline => {
    const volumes: readonly KubernetesObject[] = podsOf(objects).find(({ name }) => name === pod)?.spec.volumes;
    const { name, items } = volumes.find(({ configMap }) => configMap)?.configMap ?? {};
    const { data } = named(objects, "ConfigMap", name);
    for (const { key, path } of items ?? Object.keys(data).map(key => ({ key, path: key }))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), data[key]);
    }
    return readPipeline(folder);
  };

  it("has what estimates accuracy, and what was measured", () => {
    const pipeline = mount(render(...VIDEO, ESTIMATORS), "variscale-scaler");
    const { accuracy } = readPipeline(video);
    assert.ok(accuracy.estimators.length > 0 && accuracy.combinations.length > 0);
    assert.deepEqual(pipeline.accuracy, accuracy);
  });

  it("has files in folders of their own, in every pod that reads the pipeline", () => {
    const crop = "export const size = 64;\n";
    const files = { "stages.js": 'import "./lib/crop.js";', "lib/crop.js": crop };
    const objects = render(...VIDEO, ESTIMATORS, `--set-json=pipelines.video.files=${JSON.stringify(files)}`);
    for (const pod of ["variscale-scaler", "variscale-video-gateway", "variscale-video-detection"]) {
      mount(objects, pod);
      assert.equal(readFileSync(join(folder, "lib/crop.js"), "utf8"), crop, pod);
      rmSync(join(folder, "lib"), { recursive: true });
    }
  });

  it("tells switchers what the pipeline file says of them: drivers, profiles, golden inputs, signs of accuracy", () => {
    const objects = render(
      "--set=image.repository=r",
      valuesOf(
        { slo: { latencyMs: 100 }, load: { source: "scores" }, measurements: "measured.json", stages: [STAGE] },
        { measurements: JSON.stringify(LEARNT) },
      ),
    );
    const pipeline = mount(objects, "variscale-scaler");
    const [stage] = pipeline.stages;
    assert.ok(stage);
    const address = "variscale-switchers.shop.svc:6001";
    const given = { pod: "pod-0", advertiseAddress: "10.0.0.1:8000", scalerAddress: address };
    const expected = switcherConfig(pipeline, stage, "pod-0", {
      ...{ host: "0.0.0.0", modelFolder: "/models", logLevel: "info" },
      ...{ scalerAddress: address, stateFile: "/var/lib/variscale/assignment.json", crowding: 1 },
    });
    const ofChart = parseSwitcherConfig({
      ...JSON.parse(readFileSync(join(folder, "switcher-score.json"), "utf8")),
      ...given,
    });
    const ofCommand = parseSwitcherConfig({
      ...JSON.parse(JSON.stringify(expected)),
      ...given,
      adminHost: "127.0.0.1",
      ports: undefined,
      // The replicas of `variscale up` are children of one process, which claims models for them.
      modelClaims: undefined,
    });
    assert.deepEqual({ ...ofChart, queue: null }, { ...ofCommand, queue: null });
    assert.deepEqual(ofChart.accuracy?.thresholds, { own: 0.7, other: 0.25 });
    assert.deepEqual(
      ofChart.variants.map(({ driver }) => driver),
      ["onnx", "remote", "emulated"],
    );
  });

  it("refuses more than a ConfigMap holds", () => {
    const big = join(folder, "big");
    writeFileSync(big, "x".repeat(1_000_001));
    const reason = refusal(...VIDEO, ESTIMATORS, `--set-file=pipelines.video.files.big=${big}`);
    assert.match(reason, /pipelines\.video: its files have 1\d{6} bytes together/);
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      "estimators that are named and not given",
      VIDEO,
      /video\.estimators: is missing, .* names drift\.json: --set-file/,
    ],
    [
      "measurements that are named and not given",
      [...VIDEO.filter(value => !value.includes("measurements")), ESTIMATORS],
      /video\.measurements: is missing, .* names measurements\.json/,
    ],
    [
      "code that is named and not given",
      ["--set=image.repository=r", valuesOf({ code: "./lib/stages.js", stages: [STAGE] })],
      /scores\.files: must have lib\/stages\.js, .*--set-file 'pipelines\.scores\.files\.lib\/stages\\\.js=/,
    ],
    [
      "a file that is made of other values",
      ["--set=image.repository=r", valuesOf({ stages: [STAGE] }, { files: { "switcher-score.json": "{}" } })],
      /scores\.files: must not have switcher-score\.json/,
    ],
    [
      "two files of one key",
      ["--set=image.repository=r", valuesOf({ stages: [STAGE] }, { files: { "a/b": "", a__b: "" } })],
      /a\/b and a__b would be one key|a__b and a\/b would be one key/,
    ],
    [
      "a path that leads out of the folder",
      ["--set=image.repository=r", valuesOf({ stages: [STAGE] }, { files: { "lib/../../x": "" } })],
      /invalid propertyName 'lib\/\.\.\/\.\.\/x'/,
    ],
  ];
  for (const [what, values, reason] of refused)
    it(`refuses ${what}`, () => {
      assert.match(refusal(...values), reason);
    });
});
