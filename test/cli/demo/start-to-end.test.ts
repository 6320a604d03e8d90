import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { StepRunner } from "../../../cli/demo/run-steps.ts";
import { type StartToEndOptions, type Step, startToEndSteps } from "../../../cli/demo/start-to-end-steps.ts";
import { summaryPage } from "../../../cli/demo/summary-page.ts";
import { ownPipelines, pathOfPipeline } from "../../../cli/own-pipelines.ts";
import { packageFolder } from "../../../runtime/version.ts";
import { commandLine, descendants, isAlive } from "../support/processes.ts";
import { runVariscale } from "../support/run-variscale.ts";

describe("variscale demo --start-to-end", function () {
  this.timeout(300_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const step = (name: string, commands: Step["commands"]): Step => ({ name, what: `what ${name} does`, commands });
  const runner = () => {
    const seen = { said: [] as string[], printed: "" };
    const running = new StepRunner({
      folder,
      say: line => seen.said.push(line),
      print: chunk => {
        seen.printed += chunk;
      },
    });
    return { seen, running };
  };
  const steps = (more: Partial<StartToEndOptions> = {}) =>
    startToEndSteps({ pipeline: "video", folder, short: true, machineCores: 2, demoArgs: ["--seed", "7"], ...more });
  const commandsOf = (name: string, more: Partial<StartToEndOptions> = {}) =>
    steps(more)
      .find(one => one.name === name)
      ?.commands() ?? [];

  it("runs each command, keeps what it printed, and goes on after one that failed", async () => {
    const { seen, running } = runner();
    const picture = join(folder, "front.svg");
    const results = await running.run([
      step("first", () => [["--version"], ["plan", pathOfPipeline("video"), "--rps", "20", "--picture", picture]]),
      step("second", () => [["plan", join(folder, "none"), "--rps", "1"], ["--version"]]),
      step("third", () => {
        throw new Error("no such thing");
      }),
      step("fourth", () => [["--version"]]),
    ]);
    assert.deepEqual(
      results.map(({ name, problem }) => [name, problem]),
      [
        ["first", null],
        ["second", "FAILED: variscale plan ended with 1"],
        ["third", "FAILED: no such thing"],
        ["fourth", null],
      ],
    );
    const first = readFileSync(join(folder, results[0]?.output ?? ""), "utf8");
    assert.match(
      first,
      /^\$ variscale --version\n\d+\.\d+\.\d+\n\$ variscale plan .*\nstage +variant[\s\S]*feasible at 20 rps/,
    );
    assert.ok(existsSync(picture));
    assert.match(seen.printed, /feasible at 20 rps/);
    assert.match(
      seen.said.join("\n"),
      /\[2\/4\] what second does\n\$ variscale plan [\s\S]*\[2\/4\] FAILED: variscale plan ended with 1, \d+ s/,
    );
    assert.deepEqual(results[1]?.commands.length, 2);
  });

  it("ends what runs when it is stopped, and starts nothing more", async () => {
    const { running, seen } = runner();
    const ended = running.run([
      step("first", () => [
        ["up", pathOfPipeline("video"), "--port=0", "--http-port=0", "--keda-port=0", "--switcher-port=0"],
        ["--version"],
      ]),
      step("second", () => [["--version"]]),
    ]);
    setTimeout(() => running.stop("SIGTERM"), 1000);
    const results = await ended;
    assert.deepEqual(
      results.map(({ name, commands }) => [name, commands.length]),
      [["first", 1]],
    );
    assert.doesNotMatch(seen.printed, /^\d+\.\d+\.\d+$/m);
  });

  it("ends with what can't be written and how to mend it, and with it what runs", async () => {
    const { running } = runner();
    mkdirSync(join(folder, "1-first.txt"));
    await assert.rejects(
      running.run([step("first", () => [["--version"]])]),
      /can't write .*1-first\.txt \(EISDIR.*name another folder with --folder/,
    );
    rmSync(join(folder, "1-first.txt"), { recursive: true });
    symlinkSync("/dev/full", join(folder, "1-first.txt"));
    const { seen, running: full } = runner();
    await assert.rejects(
      full.run([step("first", () => [["--version"]]), step("second", () => [["--version"]])]),
      /can't write .*1-first\.txt \(ENOSPC.*Make room/,
    );
    assert.equal(seen.printed, "");
    assert.doesNotMatch(seen.said.join("\n"), /\[2\/2\]/);
  });

  it("ends a command whose output can no longer be written", async () => {
    const { running } = runner();
    const fifo = join(folder, "1-first.txt");
    assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
    // It takes the line that names the command, and no more. What is served prints its line when it is ready, and would go on.
    const reader = spawn("head", ["-n", "1", fifo], { stdio: "ignore" });
    const ports = ["--port=0", "--http-port=0", "--keda-port=0", "--switcher-port=0"];
    const quiet = ["--output=json", "--log-level=silent"];
    const serve = ["up", pathOfPipeline("video"), ...ports, "--state-dir", join(folder, "state"), ...quiet];
    try {
      await assert.rejects(running.run([step("first", () => [serve])]), /can't write .*1-first\.txt \(EPIPE/);
    } finally {
      reader.kill();
    }
    const left = descendants(process.pid).filter(pid => commandLine(pid).includes("up"));
    assert.deepEqual(left, []);
  });

  it("tells with one line that a folder has no room, with 1", async () => {
    mkdirSync(join(folder, "1-set-up.txt"));
    const run = await runVariscale(["demo", "--start-to-end", "--short", "--folder", folder]);
    assert.equal(run.status, 1, run.stderr);
    assert.match(run.stderr, /\nvariscale: can't write .*1-set-up\.txt \(EISDIR.*--folder\.\n$/);
    assert.doesNotMatch(run.stderr, /^\s+at /m);
  });

  it("makes the models of all pipelines, measures one, and plans and serves with what was measured in a whole run", () => {
    assert.deepEqual(
      commandsOf("set-up").map(args => args.slice(0, 2).join(" ")),
      ownPipelines().map(() => "models prepare"),
    );
    const measured = join(folder, "pipeline");
    assert.ok(existsSync(join(measured, "pipeline.yaml")));
    for (const name of ["measure", "drift"]) {
      const [command = []] = commandsOf(name);
      assert.equal(command[1], measured);
      assert.ok(command.includes("--fresh"));
    }
    assert.deepEqual(commandsOf("serve"), [["demo", "--pipeline", pathOfPipeline("video"), "--short", "--seed", "7"]]);
    assert.deepEqual(commandsOf("serve", { short: false }), [["demo", "--pipeline", measured, "--seed", "7"]]);
    assert.deepEqual(commandsOf("report"), [["report", "--folder", folder]]);
  });

  it("plans at a low and a high load that this machine can serve, and all pipelines together", async () => {
    const [low, high, fleet] = commandsOf("optimise");
    const rpsOf = (args: readonly string[] = []) => Number(args[args.indexOf("--rps") + 1]);
    assert.ok(rpsOf(low) > 0 && rpsOf(low) < rpsOf(high));
    assert.equal(fleet?.length, 1 + ownPipelines().length);
    for (const args of [low, high, fleet]) assert.equal((await runVariscale(args ?? [])).status, 0, args?.join(" "));
  });

  it("names what it can't do before anything runs", async () => {
    const run = (...args: string[]) => runVariscale(["demo", "--start-to-end", "--short", "--folder", folder, ...args]);
    const csv = await run("--csv", "load.csv");
    assert.deepEqual([csv.status, csv.stdout], [2, ""]);
    assert.match(csv.stderr, /takes no --csv/);
    const unknown = await run("--pipeline", "none");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /none.* can't be read/);
    writeFileSync(join(folder, "file"), "");
    const unwritable = await run("--folder", join(folder, "file"));
    assert.equal(unwritable.status, 1);
    assert.match(unwritable.stderr, /can't write into .*file .*Name another one with --folder/);
  });

  it("ends all of it when it is interrupted, with 130, and says how far it came; nothing of an earlier run is in it", async () => {
    for (const name of ["report.html", "low-load.svg"]) writeFileSync(join(folder, name), "of an earlier run");
    const main = join(packageFolder, "dist/cli/main.js");
    const args = [main, "demo", "--start-to-end", "--short", "--folder", folder, "--output", "json"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    const ended = new Promise(resolve => child.once("close", resolve));
    try {
      while (!stderr.includes("[2/6]")) {
        assert.equal(child.exitCode, null, stderr);
        await sleep(10);
      }
      let started: number[] = [];
      while (started.length === 0) {
        assert.equal(child.exitCode, null, stderr);
        await sleep(10);
        started = descendants(child.pid ?? 0);
      }
      child.kill("SIGTERM");
      assert.equal(await ended, 130, stderr);
      assert.deepEqual(started.filter(isAlive), []);
    } finally {
      child.kill("SIGKILL");
    }
    const { steps } = JSON.parse(stdout) as { steps: { name: string; problem: string | null }[] };
    assert.deepEqual(
      steps.map(({ name, problem }) => [name, problem === null]),
      [
        ["set-up", true],
        ["measure", false],
      ],
    );
    const page = readFileSync(join(folder, "index.html"), "utf8");
    assert.match(page, /FAILED: variscale profile ended with/);
    assert.doesNotMatch(page, /report\.html|low-load\.svg/);
  });

  it("writes a page about the run, with what was printed as text", () => {
    const result = { name: "optimise", what: "Optimise", commands: [], seconds: 3, problem: null, output: "4.txt" };
    const page = summaryPage({
      ...{ version: "1.2.3", machine: "2 × a <processor>", results: [result, { ...result, problem: "FAILED: it" }] },
      ...{ printed: () => "<script>", pictures: ["low-load.svg"], report: "report.html" },
    });
    assert.match(page, /FAILED: it/);
    assert.match(page, /<a href="report.html">/);
    assert.match(page, /<img src="low-load.svg" alt/);
    assert.doesNotMatch(page, /<script>|<processor>/);
  });
});
