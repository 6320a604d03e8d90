import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Validation } from "../../../cli/validate/validate-pipeline.ts";
import { FakeModelServer } from "../../support/fake-model-server.ts";
import { affineModel, writeModel } from "../../support/models.ts";
import { runVariscale } from "../support/run-variscale.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";

describe("variscale validate", function () {
  this.timeout(60_000);

  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-validate-"));
    file = join(folder, "pipeline.yaml");
    writeTinyPipeline(folder);
    // As `init` leaves them: found without a flag.
    mkdirSync(join(folder, "models"));
    for (const name of ["first-light", "first-heavy", "second-light", "second-heavy"])
      renameSync(join(folder, `${name}.onnx`), join(folder, "models", `${name}.onnx`));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const validate = async (...args: string[]) => {
    const { status, stdout, stderr } = await runVariscale(["validate", folder, "--output", "json", ...args]);
    assert.equal(stderr, "");
    return { status, result: JSON.parse(stdout) as Validation };
  };
  /** The checks with problems, and the first problem of each. */
  const readProblems = ({ checks }: Validation) =>
    checks.flatMap(({ check, problems }) => (problems.length > 0 ? [[check, problems[0] ?? ""] as const] : []));
  const editFile = (edit: (spec: ReturnType<typeof JSON.parse>) => void): void => {
    const value = JSON.parse(readFileSync(file, "utf8"));
    edit(value.spec);
    writeFileSync(file, JSON.stringify(value));
  };
  const refuses = async (check: string, told: RegExp): Promise<void> => {
    const { status, result } = await validate();
    assert.deepEqual([status, result.isValid], [1, false]);
    const problems = readProblems(result);
    assert.deepEqual(
      problems.map(([name]) => name),
      [check],
    );
    assert.match(problems[0]?.[1] ?? "", told);
  };

  it("finds nothing wrong with a pipeline that can be served, in a table or as JSON", async () => {
    const { status, result } = await validate();
    assert.deepEqual([status, result.isValid, readProblems(result)], [0, true, []]);
    assert.equal(result.modelFolder, join(folder, "models"));
    assert.deepEqual(
      result.checks.map(({ check }) => check),
      ["file", "models", "contracts", "code", "memory", "measurements"],
    );
    const { stdout } = await runVariscale(["validate", folder]);
    assert.match(stdout, /^ok {5}file\nok {5}models\nok {5}contracts\nok {5}code\n/);
  });

  it("finds what is wrong in the file", async () => {
    editFile(spec => {
      spec.slo.latencyMs = "soon";
    });
    await refuses("file", /pipeline\.yaml is not valid/);
  });

  it("finds a model file that is another one, and one that is missing, and goes on with the others", async () => {
    writeModel(join(folder, "models"), "first-heavy", affineModel(7, 7));
    await refuses("models", /first-heavy\.onnx of variant first\/heavy has sha256 /);
    rmSync(join(folder, "models", "first-heavy.onnx"));
    await refuses("models", /first-heavy\.onnx of variant first\/heavy can't be read: ENOENT.*Copy it there/);
    assert.match(
      (await runVariscale(["validate", folder])).stdout,
      /contracts\n +\(not looked at: first\/heavy, whose model/,
    );
  });

  it("finds models that break their stage's contract, and files that are no models", async () => {
    editFile(spec => {
      spec.stages[0].contract.outputs[0].shape = [-1, 3];
    });
    await refuses("contracts", /^first\/light \(.*first-light\.onnx\): the output "y" has the shape \[-1,2\]/);
    editFile(spec => {
      spec.stages[0].contract.outputs[0].shape = [-1, 2];
      const [light] = spec.stages[0].variants;
      writeFileSync(join(folder, "models", light.model), "no model");
      light.sha256 = createHash("sha256").update("no model").digest("hex");
    });
    await refuses("contracts", /^first\/light \(.*first-light\.onnx\): .*is no ONNX model/);
  });

  it("has other servers load nothing, and compares what they say of their models", async () => {
    const server = await FakeModelServer.start();
    try {
      editFile(spec => {
        const { name, profile } = spec.stages[0].variants[0];
        spec.stages[0].variants[0] = { ...{ name, profile }, driver: "remote", model: "x", url: server.url };
      });
      assert.equal((await validate()).status, 0);
      server.metadata = {
        inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [-1, 3] }],
      };
      await refuses("contracts", /^first\/light \(x at http:.*\): the output "y" has the shape \[-1,3\]/);
      assert.deepEqual([server.loads, server.done], [0, []]);
    } finally {
      await server.close();
    }
  });

  it("finds code that can't be loaded, or lacks what a stage needs", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    writeFileSync(join(folder, "code.mjs"), code.replace("second: {", "other: {"));
    await refuses("code", /`stages\.second` is not an object with the functions `rows` and `collect`/);
    writeFileSync(join(folder, "code.mjs"), "export default {\n  a: ,\n};\n");
    await refuses("code", /Unexpected token ','.*code\.mjs:2\)/);
  });

  it("finds variants that the memory of their stage is too small for", async () => {
    editFile(spec => {
      spec.stages[1].memoryMiB = 128;
      spec.stages[1].variants[1].profile.memoryMiB = 300;
    });
    await refuses("memory", /second\/heavy does not fit into memory .*Set `memoryMiB: /);
  });

  it("finds measurements of variants that there are no more", async () => {
    const measured = { first: { gone: { cores: 1, points: [{ batch: 1, latencyMs: 3 }] } } };
    const measurements = {
      apiVersion: "variscale.dev/v1alpha1",
      kind: "PipelineMeasurements",
      ...{ machine: {}, date: "2026-01-01T00:00:00Z", stages: measured },
    };
    writeFileSync(join(folder, "measurements.json"), JSON.stringify(measurements));
    editFile(spec => {
      spec.measurements = "measurements.json";
    });
    await refuses("measurements", /measurements\.json has first\/gone, which the pipeline file does not have/);
  });
});
