import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../../runtime/version.ts";
import { FakePrometheus } from "../../scaler/support/fake-prometheus.ts";
import { TestFolder } from "../../support/switcher-harness.ts";

const MAIN = join(packageFolder, "dist/cli/main.js");
const KEYS = [
  "forecaster",
  "horizonSeconds",
  "smape",
  "mae",
  "pinball90",
  "pinball95",
  "coverage95",
  "shortfall",
  "overProvision",
];

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function variscale(args: readonly string[], input = ""): Ended {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", input, maxBuffer: 1e8 });
}

interface Result {
  readonly trace: string;
  readonly split: string;
  readonly results: readonly Readonly<Record<string, number | string>>[];
}

describe("variscale backtest", function () {
  this.timeout(180_000);
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  const file = (name: string, text: string): string => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  const hourly = (): string => Array.from({ length: 3600 }, (_, i) => 20 + ((i * 7919) % 13)).join("\n");

  it("prints every score of every forecaster as JSON, and progress elsewhere", () => {
    const { status, stdout, stderr } = variscale(["backtest", "--csv", file("load.csv", hourly()), "--output", "json"]);
    assert.equal(status, 0, stderr);
    const result = JSON.parse(stdout) as Result;
    assert.deepEqual([result.trace, result.split], ["load.csv", "t+2412 s"]);
    for (const row of result.results) assert.deepEqual(Object.keys(row), KEYS);
    const names = new Set(result.results.map(row => row["forecaster"]));
    for (const name of ["variscale", "ewma", "max60"]) assert.ok(names.has(name), name);
    assert.equal(result.results.length, 3 * names.size);
    assert.match(stderr, /backtest: 100 %/);
  });

  it("is the same each time, from a file, from standard input and from the same seed", () => {
    const args = ["--horizon", "20", "--split", "30m", "--forecaster", "variscale", "--output", "json"];
    const first = JSON.parse(variscale(["backtest", "--csv", file("load.csv", hourly()), ...args]).stdout) as Result;
    const second = JSON.parse(variscale(["backtest", "--csv", "-", ...args], hourly()).stdout) as Result;
    assert.deepEqual(second.results, first.results);
    const seeded = () => variscale(["backtest", "--generate", "5", "--kind", "mixed", "--days", "0.1", ...args]).stdout;
    assert.equal(seeded(), seeded());
    assert.equal((JSON.parse(seeded()) as Result).results.length, 1);
  });

  it("shows a table, and one page with its pictures in it", () => {
    const args = [
      "backtest",
      "--generate",
      "5",
      "--days",
      "0.1",
      "--horizon",
      "20,60",
      "--forecaster",
      "variscale,ewma+max20",
    ];
    const { stdout } = variscale(args);
    assert.match(stdout, /horizon +forecaster +SMAPE %/);
    assert.equal(stdout.match(/^ +[26]0 s {2}(?:variscale|ewma\+max20)/gm)?.length, 4, stdout);
    const html = variscale([...args, "--output", "html"]).stdout;
    assert.match(html, /^<!doctype html>/);
    assert.equal(html.match(/<svg /g)?.length, 2);
    assert.equal(html.match(/<polygon class="band" points="[\d., ]+"/g)?.length, 2);
    assert.doesNotMatch(html, /https?:|<script|<link|NaN|undefined/);
  });

  it("takes zeros of a source that fell silent as missing when told so", () => {
    const silent = `${"20\n".repeat(3000)}${"0\n".repeat(600)}${"20\n".repeat(3000)}`;
    const args = [
      "backtest",
      "--csv",
      file("load.csv", silent),
      "--horizon",
      "20",
      "--forecaster",
      "ewma",
      "--output",
      "json",
    ];
    const plain = variscale(args);
    const told = variscale([...args, "--silent-after", "10"]);
    assert.match(told.stderr, /load\.csv: 600 seconds of 10 zeros in a row or more are taken as missing/);
    assert.notEqual(told.stdout, plain.stdout);
  });

  it("reads a Prometheus as the scaler does", async () => {
    const nowMs = Math.floor(Date.now() / 1000) * 1000;
    const prometheus = await FakePrometheus.start({
      nowMs: () => Date.now(),
      every: () => () => undefined,
      soon: () => undefined,
    });
    prometheus.scrape({ job: "shop" }, { fromMs: nowMs - 3_600_000, toMs: nowMs, intervalMs: 5000 }, atMs =>
      Math.round(((atMs - nowMs) / 1000 + 3600) * 30),
    );
    const child = spawn(process.execPath, [
      ...[
        MAIN,
        "backtest",
        "--prometheus",
        `http://127.0.0.1:${prometheus.port}`,
        "--counter",
        "x_total",
        "--since",
        "1h",
      ],
      ...["--forecaster", "ewma", "--horizon", "20", "--output", "json"],
    ]);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    const status = await new Promise(resolve => child.once("close", resolve));
    await prometheus.close();
    assert.equal(status, 0, stderr);
    const [row] = (JSON.parse(stdout) as Result).results;
    assert.ok(Number(row!["mae"]) < 15, stdout);
    assert.match(stderr, /100 % read/);
  });

  it("says what it can't do, with 2 for what is wrong with the arguments and 1 for what can't be read", () => {
    const good = file("load.csv", hourly());
    const cases: readonly (readonly [args: readonly string[], status: number, message: RegExp])[] = [
      [[], 2, /give the load by one of --csv FILE, --prometheus URL and --generate SEED/],
      [["--csv", good, "--generate", "1"], 2, /one of --csv/],
      [["--csv", join(folder.path, "none.csv")], 1, /--csv .*none\.csv can't be read: ENOENT/],
      [["--csv", folder.path], 1, /can't be read: EISDIR/],
      [["--csv", file("bad.csv", "1\n-1\n")], 2, /^variscale: .*\/bad\.csv, line 2: `-1` is not a rate/],
      [
        ["--csv", "/dev/null"],
        2,
        /^variscale: \/dev\/null has no line with a rate: write one rate a line, as 12\.5, or name/,
      ],
      [["--csv", good, "--split", "half"], 2, /--split half: must be a share as 0\.67, a time from the start as 14d/],
      [["--csv", good, "--split", "9d"], 2, /nothing is left on one side/],
      [
        ["--csv", good, "--forecaster", "oracle"],
        2,
        /--forecaster oracle: there is none of that name; it is one of variscale, network, ewma/,
      ],
      [["--csv", good, "--forecaster", "trained+ewma"], 2, /--forecaster trained: there is none/],
      [["--csv", good, "--forecaster", "trained"], 1, /--forecaster trained: the load before the split is too short/],
      [["--csv", good, "--horizon", "0"], 2, /must be a whole number from 1 to 3600/],
      [["--csv", good, "--output", "xml"], 2, /Allowed choices are table, json, html/],
      [["--prometheus", "http://127.0.0.1:1"], 2, /needs one of --counter .* and --query/],
      [["--prometheus", "http://127.0.0.1:1", "--counter", "sum(x)"], 2, /--counter sum\(x\): must select series/],
      [["--prometheus", "http://127.0.0.1:1", "--counter", "x"], 1, /ECONNREFUSED/],
      [["--prometheus", "gopher://x", "--counter", "x"], 2, /--prometheus gopher:\/\/x: must be an address/],
    ];
    for (const [args, status, message] of cases) {
      const ended = variscale(["backtest", ...args]);
      assert.match(ended.stderr, message, args.join(" "));
      assert.deepEqual([ended.status, ended.stdout], [status, ""], args.join(" "));
      assert.doesNotMatch(ended.stderr, /^\s+at /m);
    }
  });

  it("stops at once when it is interrupted, and when nobody reads any more", async () => {
    const args = ["--generate", "1", "--days", "20", "--forecaster", "ewma", "--output", "json"];
    const child = spawn(process.execPath, [MAIN, "backtest", ...args]);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
      child.kill("SIGINT");
    });
    const signal = await new Promise(resolve => child.once("close", (_status, by) => resolve(by)));
    assert.deepEqual([signal, stdout], ["SIGINT", ""]);
    assert.doesNotMatch(stderr, /^\s+at /m);
    const piped = spawnSync(
      "sh",
      ["-c", `"${process.execPath}" "${MAIN}" backtest --generate 1 --days 0.1 --output html | head -c 5`],
      {
        encoding: "utf8",
      },
    );
    assert.equal(piped.stdout, "<!doc");
    assert.doesNotMatch(piped.stderr, /EPIPE|^\s+at /m);
  });
});

describe("variscale forecast", function () {
  this.timeout(120_000);

  it("prints what would be forecast at the end of the load, and how much each expert weighs", () => {
    const args = ["forecast", "--generate", "3", "--kind", "steady", "--days", "0.1"];
    const forecast = JSON.parse(variscale([...args, "--output", "json"]).stdout) as {
      readonly at: string;
      readonly forecasts: readonly {
        readonly horizonSeconds: number;
        readonly peakRps: Readonly<Record<string, number>>;
        readonly intensityRps: Readonly<Record<string, number>>;
        readonly reactiveRps: number;
        readonly leader: string;
        readonly weights: Readonly<Record<string, number>>;
      }[];
    };
    assert.equal(forecast.at, "2026-01-05T02:24:00.000Z");
    assert.deepEqual(
      forecast.forecasts.map(({ horizonSeconds }) => horizonSeconds),
      [20, 60, 600],
    );
    for (const { peakRps, intensityRps, weights, leader } of forecast.forecasts) {
      assert.ok(
        peakRps["0.5"]! > 50 && peakRps["0.95"]! > peakRps["0.9"]! && peakRps["0.99"]! < 100,
        JSON.stringify(peakRps),
      );
      assert.ok(Math.abs(intensityRps["0.5"]! - 50) < 6);
      assert.ok(Math.abs(Object.values(weights).reduce((a, b) => a + b) - 1) < 1e-9 && weights[leader]! > 0);
    }
    assert.match(variscale(args).stdout, /within +median[\s\S]*weight +ewma/);
  });

  it("has none where the load ends in a gap, and says so", () => {
    const text = `t,rps\n${Array.from({ length: 60 }, (_, i) => `${i},5`).join("\n")}\n${Array.from({ length: 30 }, (_, i) => `${60 + i},`).join("\n")}`;
    const { status, stderr, stdout } = variscale(["forecast", "--csv", "-"], text);
    assert.match(stderr, /there is no forecast: the load's last seconds are missing/);
    assert.deepEqual([status, stdout], [1, ""]);
  });
});
