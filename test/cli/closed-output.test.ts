import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { runVariscale } from "./support/run-variscale.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

const MAIN = join(packageFolder, "dist/cli/main.js");

describe("variscale, whose standard output can't be written", function () {
  this.timeout(120_000);
  let folder: TestFolder;
  let commands: readonly (readonly string[])[];

  beforeEach(async () => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
    const plan = ["plan", folder.path, "--rps", "5"];
    const file = join(folder.path, "plan.json");
    writeFileSync(file, (await runVariscale([...plan, "--output", "json"])).stdout);
    commands = [
      plan,
      ["fleet", `${folder.path}=5`],
      ["explain", file],
      ["manifests", folder.path],
      ["models", "prepare", folder.path, "--model-folder", folder.path],
      ["switcher", "--help"],
    ];
  });
  afterEach(() => folder.delete());

  /** With what the shell does with its output. */
  const run = (args: readonly string[], redirection: string) => {
    const words = [process.execPath, MAIN, ...args].map(word => `'${word}'`);
    return spawnSync("bash", ["-c", `set -o pipefail; ${words.join(" ")} ${redirection}`], { encoding: "utf8" });
  };

  it("ends quietly where nobody reads any more", () => {
    for (const args of commands) {
      const { status, stderr } = run(args, "| true");
      assert.deepEqual([status, stderr], [0, ""], args.join(" "));
    }
  });

  it("says that there is no room, with 1", function () {
    if (!existsSync("/dev/full")) return this.skip();
    for (const args of commands) {
      const { status, stderr } = run(args, "> /dev/full");
      assert.equal(status, 1, args.join(" "));
      assert.match(stderr, /^variscale: the result can't be written to standard output \(ENOSPC.*\n$/, args.join(" "));
    }
  });

  it("goes on where nobody reads its progress any more", () => {
    const file = join(folder.path, "measured.json");
    const profile = [
      "profile",
      folder.path,
      "--model-folder",
      folder.path,
      "--window-ms",
      "100",
      "--accept-noise",
      "--file",
      file,
    ];
    assert.equal(run(profile, "2>&1 | true").status, 0);
    assert.ok(existsSync(file));
  });

  it("has made all models where nobody reads their names any more", () => {
    const models = join(folder.path, "models");
    const audio = join(packageFolder, "pipelines/audio");
    assert.equal(run(["models", "prepare", audio, "--model-folder", models], "| head -1").status, 0);
    const made = readPipeline(audio).stages.flatMap(({ variants }) => variants.map(({ model }) => model));
    assert.deepEqual(readdirSync(models).sort(), made.sort());
  });

  it("has drawn the picture all the same", () => {
    const picture = join(folder.path, "front.svg");
    const [plan = []] = commands;
    assert.equal(run([...plan, "--picture", picture], "| true").status, 0);
    assert.ok(existsSync(picture));
  });
});
