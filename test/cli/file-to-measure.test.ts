import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { runVariscale } from "./support/run-variscale.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

const OURS = join(packageFolder, "pipelines/question-answering");
const FILES = ["measurements.json", "drift.json", "pipeline.yaml"];

/** What came with the package, and whether anything was added. */
function packaged(): readonly string[] {
  return [...FILES.map(name => readFileSync(join(OURS, name), "utf8")), readdirSync(OURS).join()];
}

describe("variscale profile and drift of a pipeline that came with the package", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let before: readonly string[];
  const variscale = (...args: string[]) => runVariscale(args, { cwd: folder.path });

  beforeEach(() => {
    folder = new TestFolder();
    before = packaged();
  });
  afterEach(() => folder.delete());

  it("measure a copy in the folder where they are run, which the name means from then on", async () => {
    const profiled = await variscale(
      "profile",
      "question-answering",
      "--items",
      "1",
      "--window-ms",
      "100",
      "--accept-noise",
    );
    assert.equal(profiled.status, 0, profiled.stderr);
    const copy = join(folder.path, "question-answering");
    assert.match(profiled.stderr, new RegExp(`^copied to ${copy}, where the result goes$`, "m"));
    assert.match(profiled.stdout, new RegExp(`^written to ${copy}/measurements.json$`, "m"));
    assert.deepEqual(packaged(), before);
    const read = (name: string): string => readFileSync(join(copy, name), "utf8");
    assert.deepEqual([read("drift.json"), read("pipeline.yaml")], before.slice(1, 3));
    assert.notEqual(read("measurements.json"), before[0]);
    writeFileSync(join(copy, "measurements.json"), "{");
    const planned = await variscale("plan", "question-answering", "--rps", "1");
    assert.match(planned.stderr, new RegExp(`^variscale: ${copy}/pipeline.yaml is not valid:`, "m"));
  });

  it("copy nothing where the result goes to a file that is named", async () => {
    const drifted = await variscale("drift", "question-answering", "--items", "1", "--file", "mine.json");
    assert.equal(drifted.status, 0, drifted.stderr);
    assert.deepEqual(readdirSync(folder.path), ["mine.json"]);
    assert.deepEqual(packaged(), before);
  });

  it("say what to do where there is no room for a copy", async () => {
    symlinkSync("/proc/none", join(folder.path, "video"));
    const { status, stderr } = await variscale("profile", "video");
    assert.equal(status, 1);
    assert.match(stderr, /^variscale: video came with the package, and can't be copied to .*by --file where/m);
  });

  it("leave an installed package alone where its path is given, and write beside a file of the user's own", async () => {
    const installed = join(folder.path, "node_modules/variscale");
    mkdirSync(join(folder.path, "node_modules"));
    symlinkSync(packageFolder, installed);
    const links = { NODE_OPTIONS: "--preserve-symlinks --preserve-symlinks-main" };
    const main = join(installed, "dist/cli/main.js");
    const args = ["profile", "node_modules/variscale/pipelines/question-answering"];
    const refused = await runVariscale(args, { cwd: folder.path, env: links, main });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /came with the package and stays as it came.*--file.*, question-answering: /);
    assert.deepEqual(packaged(), before);
    writeTinyPipeline(folder.path);
    const own = await variscale("profile", ".", "--model-folder", ".", "--window-ms", "100", "--accept-noise");
    assert.equal(own.status, 0, own.stderr);
    assert.ok(existsSync(join(folder.path, "measurements.json")));
  });
});
