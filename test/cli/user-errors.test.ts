import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { TestFolder } from "../support/switcher-harness.ts";
import { type Ended, runVariscale } from "./support/run-variscale.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

const variscale = (...args: string[]): Promise<Ended> => runVariscale(args);

/** Runs them at the same time; each must fail with this message, print nothing else on standard output, and no stack trace. */
async function refuses(cases: readonly (readonly [args: readonly string[], status: number, message: RegExp])[]) {
  await Promise.all(
    cases.map(async ([args, status, message]) => {
      const ended = await variscale(...args);
      const text = `variscale ${args.join(" ")}\n${ended.stderr}`;
      assert.match(ended.stderr, message, text);
      assert.equal(ended.status, status, text);
      assert.equal(ended.stdout, "", text);
      assert.doesNotMatch(ended.stderr, /^\s+at |VariscaleError/m, text);
    }),
  );
}

describe("variscale, told what it can't do", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let pipeline: string;

  beforeEach(() => {
    folder = new TestFolder();
    pipeline = join(folder.path, "tiny");
    mkdirSync(pipeline);
    writeTinyPipeline(pipeline);
  });
  afterEach(() => folder.delete());

  it("names an unknown option of every command", async () => {
    const commands = [
      "up x",
      "demo",
      "models prepare x",
      "models install x",
      "profile x",
      "drift x",
      "scaler x",
      "gateway x",
      "plan x --rps 1",
      "explain x",
      "pin x --stage y",
      "unpin x",
      "mode active x",
      "top x",
      "init x",
      "mcp x",
    ];
    await refuses([
      ...commands.map(command => [[...command.split(" "), "--wrong"], 2, /^error: unknown option '--wrong'/] as const),
      [["switcher", "--wrong"], 2, /Unknown option '--wrong'.*variscale switcher --help shows what it takes/],
    ]);
  });

  it("names an argument that is missing or too much, and the choices of an option", async () => {
    await refuses([
      [["up"], 2, /missing required argument 'pipeline'/],
      [["scaler"], 2, /there are no pipelines: name their files or folders/],
      [["demo", "x"], 2, /too many arguments/],
      [["models", "prepare", pipeline, "--output", "xml"], 2, /'xml' is invalid. Allowed choices are table, json/],
      [["profile", pipeline, "--output", "xml"], 2, /Allowed choices are table, json/],
      [["up", pipeline, "--log-level", "loud"], 2, /Allowed choices are trace, debug/],
      [["demo", "--pipeline", "nowhere"], 1, /pipelines\/nowhere can't be read/],
      [["demo", "--seed", "1.5"], 2, /must be a whole number from 0/],
      [["profile", pipeline, "--picture", "times.html"], 2, /--picture times\.html: must end with \.svg/],
      [["profile", pipeline, "--cores", "1,x"], 2, /must be a whole number from 1 to \d+/],
      [["profile", pipeline, "--cores", "0.5"], 2, /must be a whole number from 1 to \d+/],
      [["profile", pipeline, "--cores", String(availableParallelism() + 1)], 2, /must be a whole number from 1 to \d+/],
      [["profile", pipeline, "--shape", "x=2"], 2, /--shape is for one model/],
      [["profile", "none.onnx"], 1, /none\.onnx can't be read/],
      [["profile", pipeline, "--items", "0"], 2, /must be a whole number from 1 to 100000/],
    ]);
  });

  it("names what is wrong with what a plan is asked for", async () => {
    await refuses([
      [["plan", pipeline], 2, /required option '--rps <rate>' not specified/],
      [["plan", pipeline, "--rps", "-1"], 2, /must be a number from 0 to 10000000/],
      [["plan", pipeline, "--rps", "1", "--policy", "best"], 2, /Allowed choices are default, static, ipa/],
      [["plan", pipeline, "--rps", "1", "--pin", "first"], 2, /--pin first: must be stage=variant/],
      [["plan", pipeline, "--rps", "1", "--pin", "fist=light"], 2, /no stage `fist`\. Did you mean `first`\?/],
      [["plan", pipeline, "--rps", "1", "--exclude", "first=lite"], 2, /no variant of stage `first` `lite`/],
      [["plan", pipeline, "--rps", "1", "--vote", "first=2"], 2, /--vote first=2: .* from 0 to 1/],
      [["plan", pipeline, "--rps", "1", "--split", "third"], 2, /--split: there is no stage `third`/],
      [["explain", "default/tiny"], 1, /there is no file default\/tiny with a plan\. .*name that with --url/],
      [
        ["explain", "--url", "http://127.0.0.1:1"],
        1,
        /127\.0\.0\.1:1\/.* does not answer: .*Is --url the scaler's HTTP port\?/,
      ],
    ]);
  });

  it("plans nothing for what was not measured, and says how to measure it", async () => {
    const unmeasured = join(folder.path, "unmeasured");
    mkdirSync(unmeasured);
    writeTinyPipeline(unmeasured, { profiled: false });
    const file = join(unmeasured, "pipeline.yaml");
    const spec = JSON.parse(readFileSync(file, "utf8")) as { spec: object };
    const named = join(folder.path, "named");
    mkdirSync(named);
    const measurements = "measured-here.json";
    writeFileSync(join(named, "pipeline.yaml"), JSON.stringify({ ...spec, spec: { ...spec.spec, measurements } }));
    const rule = (ending: string): RegExp =>
      new RegExp(
        `no variant of stages first, second in .* was measured, so nothing can be planned for them\\. ${ending}`,
      );
    const notNamed = rule(
      "Run `variscale profile .*/unmeasured`, and name the measurements file in `spec.measurements`",
    );
    const missing = "Its measurements file, measured-here.json, is not there: `variscale profile .*/named` writes it";
    await refuses([
      [["plan", unmeasured, "--rps", "1"], 1, notNamed],
      [["fleet", `${unmeasured}=1`], 1, notNamed],
      [["plan", named, "--rps", "1"], 1, rule(missing)],
      [["fleet", `${named}=1`], 1, rule(missing)],
      [["simulate", named, "--generate", "1", "--length", "60s"], 2, new RegExp(`has no profile, .* ${missing}`)],
    ]);
    const machine = { cores: 1 };
    const kind = { apiVersion: "variscale.dev/v1alpha1", kind: "PipelineMeasurements" };
    const empty = { ...kind, machine, date: "2026-01-01T00:00:00Z", stages: {} };
    writeFileSync(join(named, measurements), JSON.stringify(empty));
    const other = rule(
      "Its measurements file, measured-here.json, does not have them: `variscale profile .*/named` writes it",
    );
    await refuses([[["plan", named, "--rps", "1"], 1, other]]);
  });

  it("names what is wrong with a plan's files", async () => {
    const file = (name: string, text: string): string => {
      const path = join(folder.path, name);
      writeFileSync(path, text);
      return path;
    };
    await refuses([
      [["plan", pipeline, "--rps", "1", "--current", file("a.json", "{")], 2, /a\.json is not JSON/],
      [["plan", pipeline, "--rps", "1", "--current", file("b.json", '{"first": {"parts": []}}')], 2, /first\.parts/],
      [["plan", pipeline, "--rps", "1", "--current", "/nowhere.json"], 1, /\/nowhere\.json can't be read/],
      [["explain", file("c.json", "{}")], 2, /c\.json is not valid:\n {2}feasible: required field is missing/],
    ]);
  });

  it("names what is wrong with a file", async () => {
    const file = (name: string, text: string): string => {
      const path = join(folder.path, name);
      writeFileSync(path, text);
      return path;
    };
    const spec = JSON.parse(readFileSync(join(pipeline, "pipeline.yaml"), "utf8")) as { spec: object };
    const broken = (above: object): string =>
      file(`pipelines-${Object.keys(above)}.yaml`, JSON.stringify({ ...spec, spec: { ...spec.spec, ...above } }));
    await refuses([
      [["up", file("binary.yaml", "\u0000\u0001\u0002")], 2, /binary\.yaml is not valid/],
      [["up", file("text.yaml", "a: [")], 2, /text\.yaml is not valid:\n {2}line 1/],
      [["scaler", broken({ slo: {} })], 2, /spec\.slo\.latencyMs/],
      [["scaler", pipeline, "--tls-folder", folder.path], 1, /TLS folder .*: tls\.crt can't be read: ENOENT/],
      [["up", broken({ measurements: "." })], 1, /which .* names, can't be read: EISDIR.*Correct `spec\.measurements`/],
      [["gateway", broken({ code: "./gone.js" }), "--endpoint", "first=127.0.0.1:1"], 1, /there is no file .*gone\.js/],
      [["demo", "--csv", file("load.csv", "10\n-1\n")], 2, /load\.csv, line 2: `-1` is not a rate/],
      [["demo", "--csv", folder.path], 1, /can't be read: EISDIR/],
      [["switcher", "--config", file("list.json", "[]")], 2, /must have a JSON object/],
      [["switcher", "--config", folder.path], 2, /can't be read: EISDIR/],
    ]);
  });

  it("names what is wrong with the code of a pipeline, its models and its folders", async () => {
    writeFileSync(join(pipeline, "code.mjs"), "export const modelRecipes = 5;\nexport default {};\n");
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    const other = join(folder.path, "other");
    mkdirSync(other);
    writeTinyPipeline(other);
    await refuses([
      [
        ["models", "prepare", pipeline, "--model-folder", pipeline],
        1,
        /`modelRecipes` of \.\/code\.mjs must be a list/,
      ],
      [["gateway", pipeline, "--endpoint", "first=127.0.0.1:1"], 1, /`decode` is not a function/],
      [["models", "prepare", other, "--model-folder", file], 1, /can't write .*file/],
      [["profile", other, "--model-folder", folder.path], 1, /first-light\.onnx of variant first\/light is not in/],
      [["gateway", other, "--endpoint", "third=127.0.0.1:1"], 2, /stage that the pipeline does not have/],
    ]);
  });
});

describe("variscale --output json", function () {
  this.timeout(300_000);
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
  });
  afterEach(() => folder.delete());

  it("prints JSON alone on standard output, progress and logs elsewhere", async () => {
    const models = await variscale("models", "prepare", folder.path, "--model-folder", folder.path, "--output", "json");
    assert.equal(models.status, 0, models.stderr);
    assert.deepEqual(JSON.parse(models.stdout), { folder: folder.path, models: [] });
    const args = ["--model-folder", folder.path, "--window-ms", "100", "--accept-noise", "--output", "json"];
    const profile = await variscale("profile", folder.path, ...args);
    assert.equal(profile.status, 0, profile.stderr);
    assert.deepEqual(Object.keys((JSON.parse(profile.stdout) as { stages: object }).stages), ["first", "second"]);
    assert.match(profile.stderr, /first\/light: batch 1 takes/);
  });
});
