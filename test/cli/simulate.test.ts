import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

interface SimulationJson {
  readonly pipeline: string;
  readonly results: readonly {
    readonly policy: string;
    readonly seed: number;
    readonly seconds: number;
    readonly summary: { readonly offered: number; readonly cores: number; readonly violations: number };
    readonly timeline: readonly {
      readonly offeredRps: number;
      readonly forecastRps: number | null;
      readonly stages: readonly unknown[];
    }[];
  }[];
}

describe("variscale simulate", function () {
  this.timeout(300_000);
  let folder: TestFolder;

  function simulate(...args: string[]) {
    const main = join(packageFolder, "dist/cli/main.js");
    return spawnSync(process.execPath, [main, "simulate", folder.path, ...args], { encoding: "utf8" });
  }

  function loadFile(rates: readonly number[]): string {
    const path = join(folder.path, "load.csv");
    writeFileSync(path, `${rates.join("\n")}\n`);
    return path;
  }

  beforeEach(() => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
  });
  afterEach(() => folder.delete());

  it("leaves out what was not measured, and says so; but not what a stage begins with", () => {
    const path = join(folder.path, "pipeline.yaml");
    const file = JSON.parse(readFileSync(path, "utf8"));
    const [first] = file.spec.stages;
    delete first.variants.find(({ name }: { name: string }) => name === "heavy").profile;
    writeFileSync(path, JSON.stringify(file));
    const args = ["--csv", loadFile(Array.from({ length: 60 }, () => 5)), "--length", "30s", "--warm-up", "10s"];
    const ended = simulate(...args);
    assert.equal(ended.status, 0, ended.stderr);
    assert.match(ended.stderr, /^left out, for they were not measured: first\/heavy$/m);
    first.defaultVariant = "heavy";
    writeFileSync(path, JSON.stringify(file));
    const refused = simulate(...args);
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, /stage `first`: its default variant `heavy` has no profile/);
  });

  it("compares policies under the user's own load", () => {
    const csv = loadFile(Array.from({ length: 200 }, (_, second) => (second > 150 ? 40 : 5)));
    const args = ["--csv", csv, "--policy", "default,static", "--length", "140s", "--seeds", "2"];
    const { status, stdout, stderr } = simulate(...args, "--output", "json");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /simulated: 100 %/);
    const { results }: SimulationJson = JSON.parse(stdout);
    assert.deepEqual(
      results.map(({ policy, seed, seconds }) => [policy, seed, seconds]),
      [
        ["default", 1, 140],
        ["default", 2, 140],
        ["static", 1, 140],
        ["static", 2, 140],
      ],
    );
    for (const { summary, timeline } of results) {
      assert.equal(summary.offered, 5 * 91 + 40 * 49);
      assert.equal(timeline.length, 14);
      assert.ok(summary.cores > 0 && summary.violations <= 1);
    }
    assert.equal(simulate(...args, "--output", "json").stdout.replace(/"tick.*/g, ""), stdout.replace(/"tick.*/g, ""));
  });

  it("shows no accuracy of variants that have none", () => {
    const path = join(folder.path, "pipeline.yaml");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"accuracy": [\d.]+,/, ""));
    const args = ["--csv", loadFile(Array.from({ length: 60 }, () => 5)), "--length", "30s", "--warm-up", "10s"];
    const { stdout, stderr } = simulate(...args);
    assert.match(stderr, /^accuracy was not measured of first\/light: /m);
    assert.match(stdout, /^default +1 +\d+ +– +– +\d/m);
    assert.match(simulate(...args, "--output", "html").stdout, /Accuracy was not measured of every variant/);
  });

  it("prints a table and a page that fetches nothing", () => {
    const csv = loadFile(new Array<number>(120).fill(4));
    const table = simulate("--csv", csv, "--length", "50s");
    assert.equal(table.status, 0, table.stderr);
    assert.match(table.stdout, /policy +seed +requests +accuracy/);
    const page = simulate("--csv", csv, "--length", "50s", "--output", "html").stdout;
    assert.match(page, /<svg/);
    assert.doesNotMatch(page, /https?:\/\/|NaN|undefined/);
  });

  it("has things fail for a while", () => {
    const csv = loadFile(Array.from({ length: 200 }, (_, second) => (second > 100 ? 400 : 5)));
    const forecastsWith = (...faults: string[]): readonly (number | null)[] => {
      const { status, stdout, stderr } = simulate("--csv", csv, "--length", "140s", "--output", "json", ...faults);
      assert.equal(status, 0, stderr);
      const { results }: SimulationJson = JSON.parse(stdout);
      return results[0]?.timeline.map(({ forecastRps }) => forecastRps) ?? [];
    };
    const [whole, silent] = [forecastsWith(), forecastsWith("--fault", "monitoringSilent@20s+100s")];
    // A forecast is made for 15 s after the last sample.
    assert.deepEqual(silent.slice(4, 11), new Array(7).fill(null));
    assert.ok(whole.every(rate => rate !== null));
    assert.ok(silent[12] !== null, "it speaks again");
  });

  it("says what is wrong with what it is given", () => {
    const csv = loadFile(new Array<number>(120).fill(4));
    for (const [args, message, code] of [
      [[], /--csv FILE, --prometheus URL and --generate SEED/, 2],
      [["--csv", csv, "--warm-up", "10m"], /too short for 600 s of warm-up/, 2],
      [["--csv", csv, "--policy", "best"], /best is none of default, static/, 2],
      [["--csv", csv, "--nodes", "4"], /as in 4x8/, 2],
      [["--csv", csv, "--length", "soon"], /must be a time/, 2],
      [["--csv", csv, "--fault", "fire@10s+5s"], /one of scalerDown, .*as in scalerDown@5m\+60s/, 2],
      [["--csv", csv, "--fault", "hpaStuck@10s"], /when it begins and how long it lasts/, 2],
      [["--csv", csv, "--fault", "nodeLost@10s+5s"], /give --nodes, as in 4x8/, 2],
      [["--csv", csv, "--length", "50s", "--fault", "hpaStuck@2m+5s"], /when the simulation of 50 s is over/, 2],
    ] as const) {
      const { status, stderr } = simulate(...args);
      assert.match(stderr, message);
      assert.equal(status, code, stderr);
    }
  });
});
