import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { profileModel } from "../../../cli/profile/profile-model.ts";
import { measurementsSchema } from "../../../domain/profile-schema.ts";
import { packageFolder } from "../../../runtime/version.ts";
import { affineModel, writeModel } from "../../support/models.ts";
import { encodeModel } from "../../support/onnx-model.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../../support/switcher-harness.ts";
import { runVariscale } from "../support/run-variscale.ts";

const QUICK = ["--window-ms", "100", "--accept-noise"];

describe("variscale profile of one model", function () {
  this.timeout(120_000);

  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  it("prints the table of an ONNX file, draws it, and writes only where it is told to", async () => {
    const { model } = writeModel(folder.path, "tiny", affineModel(2, 1));
    const [picture, file] = [join(folder.path, "times.svg"), join(folder.path, "measured.json")];
    const run = await runVariscale(["profile", join(folder.path, model), "--picture", picture, ...QUICK]);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^model +tiny +– +\d+ +– +– +\d+ +1: \d/m);
    assert.doesNotMatch(run.stdout, /written to/);
    assert.match(readFileSync(picture, "utf8"), /^<svg [\s\S]*>tiny<\/tspan>/);
    assert.deepEqual(readdirSync(folder.path).sort(), ["times.svg", model].sort());
    const second = await runVariscale([
      "profile",
      join(folder.path, model),
      "--file",
      file,
      "--cores",
      "1,2",
      ...QUICK,
    ]);
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stdout, new RegExp(`^written to ${file}$`, "m"));
    const profile = measurementsSchema.parse(JSON.parse(readFileSync(file, "utf8"))).stages["model"]?.["tiny"];
    assert.deepEqual([profile?.cores, profile?.otherCores?.map(({ cores }) => cores)], [1, [2]]);
  });

  it("takes the shapes of rows that a model leaves open, and says which ones it has", async () => {
    const open = encodeModel({
      inputs: [{ name: "x", type: "FP32", shape: ["rows", "length", 2] }],
      outputs: [{ name: "y", type: "FP32", shape: ["rows", "length", 2] }],
      nodes: [{ op: "MatMul", inputs: ["x", "weight"], outputs: ["y"] }],
      weights: { weight: { shape: [2, 2], values: [1, 0, 0, 1] } },
    });
    const { model } = writeModel(folder.path, "open", open);
    const target = join(folder.path, model);
    const options = { ...{ target, cores: [], windowMs: 5, gapMs: 0, acceptNoise: true }, onProgress: () => undefined };
    const msOf = async (shape: string): Promise<number> => {
      const { stages } = await profileModel({ ...options, shapes: [shape] });
      return stages["model"]?.["open"]?.points[0]?.latencyMs ?? Number.NaN;
    };
    const [short, long] = [await msOf("x=1x2"), await msOf("x=400000x2")];
    assert.ok(long > 3 * short, `${long} and ${short} ms`);
    const refused = (shape: string, message: RegExp) =>
      assert.rejects(profileModel({ ...options, shapes: [shape] }), { code: "invalid_argument", message });
    await refused("x=4x3", /--shape x=4x3: a row of this input has \?x2/);
    await refused("x=4", /a row of this input has \?x2/);
    await refused("z=4x2", /the model has no such input, only x/);
    await refused("x", /must be an input and the shape of its rows/);
  });

  it("does what docs/profiling.md says, the second line with the server of this test", async () => {
    const open = encodeModel({
      inputs: [{ name: "ids", type: "FP32", shape: ["rows", "length"] }],
      outputs: [{ name: "y", type: "FP32", shape: ["rows", "length"] }],
      nodes: [{ op: "Sub", inputs: ["ids", "ids"], outputs: ["y"] }],
      weights: {},
    });
    assert.equal(writeModel(folder.path, "model", open).model, "model.onnx");
    const text = readFileSync(join(packageFolder, "docs/profiling.md"), "utf8");
    const [ofFile = "", ofServer = ""] = /^variscale profile model\.onnx .*\n.*/m.exec(text)?.[0].split("\n") ?? [];
    const variants = [writeModel(folder.path, "detector", affineModel(2, 1))];
    const config = { stage: "detector", variants, defaultVariant: "detector", modelControl: "explicit" };
    const server = await TestSwitcher.startReady(affineConfig(folder.path, config));
    try {
      const ours = ofServer.replace("127.0.0.1:8000", `127.0.0.1:${server.switcher.ports.http}`);
      assert.notEqual(ours, ofServer);
      for (const command of [ofFile, ours]) {
        const run = await runVariscale([...command.split(" ").slice(1), ...QUICK], { cwd: folder.path });
        assert.equal(run.status, 0, run.stderr);
      }
    } finally {
      await server.close();
    }
    assert.ok(existsSync(join(folder.path, "times.svg")));
  });

  it("measures a model of a server, and names one that is not there", async () => {
    const variants = [writeModel(folder.path, "served", affineModel(2, 1))];
    const config = { stage: "served", variants, defaultVariant: "served", modelControl: "explicit" };
    const server = await TestSwitcher.startReady(affineConfig(folder.path, config));
    try {
      const url = `http://127.0.0.1:${server.switcher.ports.http}/v2/models/served`;
      const run = await runVariscale(["profile", url, ...QUICK]);
      assert.equal(run.status, 0, run.stderr);
      assert.match(run.stdout, /^model +served +– +\d+ +– +– +– +1: \d/m);
      const none = await runVariscale(["profile", `${url}-not`, ...QUICK]);
      assert.equal(none.status, 1);
      assert.match(none.stderr, /^variscale: http:.*served-not: it is not loaded, or has another name \(status 404\)/m);
    } finally {
      await server.close();
    }
    assert.equal(existsSync(join(folder.path, "measurements.json")), false);
  });
});
