import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { formatMeasurements } from "../../cli/format-measurements.ts";
import { findNeverRight } from "../../profiler/check-accuracy.ts";
import { type ProfileCommand, runProfile } from "../../profiler/main.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { commandLine, descendants, isAlive } from "../cli/support/processes.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

describe("runProfile()", function () {
  // Every profile starts processes and threads, which takes seconds on a busy machine.
  this.timeout(300_000);

  let folder: string;
  let lines: string[];
  const profile = (change: Partial<ProfileCommand> = {}) =>
    runProfile({
      // So short windows on a machine with other tests are noise.
      ...{ target: folder, modelFolder: folder, items: 40, windowMs: 5, gapMs: 0, acceptNoise: true },
      onProgress: line => lines.push(line),
      ...change,
    });

  beforeEach(() => {
    folder = writeOffsetPipeline();
    lines = [];
  });

  afterEach(() => {
    delete process.env["STOP_AT_ITEM"];
    delete process.env["TOLERANCE"];
    rmSync(folder, { recursive: true });
  });

  it("measures variants, overhead, fan-out and accuracy, and writes what the pipeline file takes in", async () => {
    const { output, measurements } = await profile({ minutes: 60 });
    assert.ok(!lines.some(line => line.includes("were measured in")), "there was time for all items");
    assert.equal(output, join(folder, "measurements.json"));
    const pipeline = readPipeline(join(folder, "pipeline.yaml"));
    for (const stage of pipeline.stages) {
      for (const { profile } of stage.variants) {
        assert.deepEqual(
          profile?.points.slice(0, 3).map(point => point.batch),
          [1, 2, 4],
        );
        assert.ok(profile && profile.loadMs > 0);
        assert.equal(profile.cores, 1);
        // By the clock of a switcher, one a variant.
        assert.ok(profile.switch && profile.switch.coldMs > 0);
        assert.equal(profile.points[1]?.fill, 1);
      }
    }
    assert.ok(pipeline.overhead.cpuMs > 0 && pipeline.overhead.latencyMs > 0);
    assert.deepEqual(measurements.fanOut?.["first"], { rowsPerRequest: 1 });
    assert.deepEqual(pipeline.stages[1]?.fanOut.byUpstreamVariant, { light: 3, heavy: 2 });
    assert.deepEqual(
      pipeline.stages.map(stage => stage.variants.map(variant => variant.accuracy)),
      [
        [0.5, 1],
        [0.5, 1],
      ],
    );
    const table = measurements.accuracy?.combinations?.map(({ variants, accuracy, partAccuracy, items }) => [
      ...Object.values(variants),
      ...[accuracy, partAccuracy, items],
    ]);
    assert.deepEqual(table, [
      // Off by 2 × 1 + 3 = 5: too much for every item.
      ["light", "light", 0, 0, 40],
      ["light", "heavy", 0.5, 0.5, 40],
      ["heavy", "light", 0.5, 0.5, 40],
      ["heavy", "heavy", 1, 1, 40],
    ]);
    assert.deepEqual(measurements.accuracy?.stages?.["first"]?.["heavy"]?.interval, [0.9124, 1]);
    const received = measurements.accuracy?.received?.map(({ variants, right, before }) => [
      ...[Object.values(variants).join(), right],
      ...(before ? [before.bothRight, before.rightAfterWrong, before.wrongAfterRight, before.bothWrong] : []),
    ]);
    assert.deepEqual(received, [
      ["light", 20],
      ["heavy", 40],
      // The second stage gets what the first is off by, and is judged by that.
      ["light,light", 20, 20, 0, 0, 20],
      ["light,heavy", 40, 20, 20, 0, 0],
      ["heavy,light", 20, 20, 0, 20, 0],
      ["heavy,heavy", 40, 40, 0, 0, 0],
    ]);
    assert.deepEqual(measurements.accuracy?.received?.[3]?.answers, {
      allStagesRight: 20,
      rightAfterRight: 20,
      rightAfterWrong: 0,
    });
    const printed = formatMeasurements(measurements).split("\n");
    const lineOf = (start: string) =>
      printed
        .findLast(line => line.startsWith(start))
        ?.trim()
        .split(/ {2,}/);
    const shares = ["50.0 %", "100.0 %", "0.0 %", "50.0 %", "0.0 % to 50.0 %"];
    assert.deepEqual(lineOf("light → light"), ["light → light", ...shares, "–", "0.0 %", "1.400", "1.00"]);
    const heavy = ["100.0 %", "50.0 %", "–", "50.0 %", "50.0 % to 50.0 %"];
    assert.deepEqual(lineOf("heavy → light"), ["heavy → light", ...heavy, "50.0 %", "–", "1.000", "–"]);
    assert.equal(typeof measurements.machine["cpu"], "string");
    assert.ok(Date.parse(measurements.date) > 0);
    assert.ok(lines.some(line => line.startsWith("[4/4] second/heavy: batch 4 takes ")));
    // All variants have had their first window before one has its second.
    const windows = lines.filter(line => /batch 1 takes/.test(line)).map(line => line.replace(/: batch.*/, ""));
    assert.deepEqual(windows.slice(3, 5), ["[4/4] second/heavy", "[1/4] first/light, window 2"]);
    assert.ok(!existsSync(join(folder, ".variscale")));
  });

  it("begins no item but the first once its minutes are over, and says how many it has measured", async () => {
    const { measurements } = await profile({ minutes: 1e-9 });
    const { stages, combinations, received } = measurements.accuracy ?? {};
    const counted = [
      ...Object.values(stages ?? {}).flatMap(Object.values),
      ...(combinations ?? []),
      ...(received ?? []),
    ];
    assert.deepEqual([counted.length, ...new Set(counted.map(({ items }) => items))], [14, 1]);
    // Of one item that is right: anything but nothing.
    assert.deepEqual(combinations?.at(-1)?.interval, [0.2065, 1]);
    const told = "accuracy: 1 of 40 items were measured in 1e-9 min; the same command goes on with the others";
    assert.ok(lines.includes(told), lines.join("\n"));
    const cacheFile = join(folder, ".variscale", "profile.json");
    assert.ok(readFileSync(cacheFile, "utf8").includes('"items"'), "the item is kept");
    const other = await profile({ minutes: 1e-9 });
    assert.equal(other.measurements.accuracy?.combinations?.[0]?.items, 2, "the one of before, and another one");
    const whole = await profile();
    assert.equal(whole.measurements.accuracy?.combinations?.[0]?.items, 40);
    assert.equal(existsSync(cacheFile), false, "a whole profile leaves nothing to go on with");
  });

  it("gives what a pipeline's README is written from", async () => {
    const readme = join(folder, "README.md");
    writeFileSync(readme, "<!-- measurements: script -->\nold\n<!-- end of measurements -->\n");
    await profile();
    execFileSync(process.execPath, [join(packageFolder, "scripts/write-measurement-tables.mjs"), folder]);
    const text = readFileSync(readme, "utf8");
    const shares = "50.0 % | 100.0 % | 100.0 % | 50.0 % | 50.0 % to 50.0 % | 50.0 % | 0.0 % | 1.000 | –";
    assert.ok(text.includes(`| light → heavy | ${shares} |`), text);
    assert.ok(!text.includes("old"));
  });

  it("writes the file that the pipeline file names", async () => {
    const file = join(folder, "pipeline.yaml");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace("measurements: measurements.json", "measurements: here.json"),
    );
    assert.equal((await profile({ items: 1 })).output, join(folder, "here.json"));
    assert.notEqual(readPipeline(file).stages[1]?.variants[1]?.profile, null);
  });

  it("goes on where an unfinished run was, and starts anew with `fresh`", async () => {
    process.env["STOP_AT_ITEM"] = "30";
    await assert.rejects(profile(), /interrupted/);
    assert.equal(existsSync(join(folder, "measurements.json")), false);
    const kept = readFileSync(join(folder, ".variscale", "profile.json"), "utf8");
    assert.ok(
      kept.includes("item-29") && !kept.includes("item-30"),
      "all that were measured, not a multiple of twenty",
    );
    delete process.env["STOP_AT_ITEM"];
    lines = [];
    const { measurements } = await profile();
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 4);
    assert.equal(measurements.accuracy?.combinations?.[3]?.items, 40);

    process.env["STOP_AT_ITEM"] = "30";
    await assert.rejects(profile(), /interrupted/);
    delete process.env["STOP_AT_ITEM"];
    lines = [];
    await profile({ fresh: true, items: 2 });
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 0);
  });

  it("keeps what it has measured where the result can't be written in the end", async () => {
    const output = join(folder, "measurements.json");
    const onProgress = (line: string): void => {
      // A folder of that name comes in the way.
      if (line.startsWith("the gateway takes")) mkdirSync(output);
    };
    await assert.rejects(profile({ items: 1, onProgress }), /measurements\.json can't be written/);
    rmSync(output, { recursive: true });
    await profile({ items: 1 });
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 4);
  });

  it("measures a Switch again that failed in an unfinished run", async () => {
    const output = join(folder, "measurements.json");
    const model = join(folder, "second-heavy.onnx");
    const onProgress = (line: string): void => {
      lines.push(line);
      if (line.startsWith("second/light: a Switch to it takes")) renameSync(model, `${model}.away`);
      if (!line.startsWith("second/heavy: Switches are left out: ")) return;
      renameSync(`${model}.away`, model);
      mkdirSync(output);
    };
    await assert.rejects(profile({ items: 1, onProgress }), /measurements\.json can't be written/);
    rmSync(output, { recursive: true });
    lines = [];
    const { measurements } = await profile({ items: 1 });
    assert.ok((measurements.stages["second"]?.["heavy"]?.switch?.coldMs ?? 0) > 0);
    assert.equal(lines.filter(line => / a Switch to it takes/.test(line)).length, 1);
  });

  it("does not go on with items that have changed since, nor with windows of another length", async () => {
    process.env["STOP_AT_ITEM"] = "30";
    await assert.rejects(profile(), /interrupted/);
    delete process.env["STOP_AT_ITEM"];
    process.env["TOLERANCE"] = "0";
    lines = [];
    const { measurements } = await profile({ windowMs: 6 });
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 0);
    assert.deepEqual(
      measurements.accuracy?.combinations?.map(({ accuracy }) => accuracy),
      [0, 0, 0, 1],
    );
  });

  it("says how a process ended between two batches, and goes on after it", async () => {
    const onProgress = (line: string): void => {
      lines.push(line);
      if (!line.startsWith("[3/4] second/light: batch 1 takes")) return;
      const [pid = 0] = descendants(process.pid).filter(one => commandLine(one).join().includes("measure-process.js"));
      process.kill(pid, "SIGKILL");
      // Nothing was told of its end when the next batch is asked for.
      while (isAlive(pid));
    };
    await assert.rejects(profile({ onProgress }), {
      code: "failed_precondition",
      message:
        /^the process that measures second\/light ended by SIGKILL\. .*leave the variant out.* run the same command again/,
    });
    lines = [];
    await profile({ items: 1 });
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 2);
  });

  it("does not go on with what is broken, or was measured of other models", async () => {
    process.env["STOP_AT_ITEM"] = "30";
    await assert.rejects(profile(), /interrupted/);
    const cacheFile = join(folder, ".variscale", "profile.json");
    const cache = readFileSync(cacheFile, "utf8");
    delete process.env["STOP_AT_ITEM"];
    const file = join(folder, "pipeline.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("name: second\n", "name: second\n      cores: 2\n"));
    lines = [];
    await profile({ items: 1 });
    assert.ok(!lines.some(line => line.endsWith("kept from the run before")));
    writeFileSync(file, text);
    mkdirSync(dirname(cacheFile));
    writeFileSync(cacheFile, cache.replace('"light"', '"right"'));
    await profile({ items: 1 });
    assert.ok(!lines.some(line => line.endsWith("kept from the run before")));
  });

  it("measures on other cores too, and plans with these when the stage has them", async () => {
    const { measurements } = await profile({ items: 1, cores: [1, 2] });
    const { otherCores = [] } = measurements.stages["first"]?.["light"] ?? {};
    assert.deepEqual(
      otherCores.map(({ cores }) => cores),
      [2],
    );
    assert.ok(lines.some(line => line.startsWith("[5/8] first/light on 2 cores: batch 1 takes ")));
    const file = join(folder, "pipeline.yaml");
    const text = readFileSync(file, "utf8");
    const variantOf = () => readPipeline(file).stages[0]?.variants[0]?.profile;
    assert.equal(variantOf()?.cores, 1);
    writeFileSync(file, text.replace("name: first\n", "name: first\n      cores: 2\n"));
    assert.equal(variantOf()?.cores, 2);
    assert.deepEqual(variantOf()?.points, otherCores[0]?.points);
    writeFileSync(file, text.replace("name: first\n", "name: first\n      cores: 3\n"));
    assert.throws(() => readPipeline(file), /measured at 1 cores, but a replica of the stage has 3/);
  });

  it("measures with random data where the code has no evaluation", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    writeFileSync(join(folder, "code.mjs"), code.replace("evaluation:", "other:"));
    const { measurements } = await profile();
    assert.deepEqual(Object.keys(measurements.stages["second"] ?? {}), ["light", "heavy"]);
    assert.equal(measurements.accuracy, undefined);
    assert.equal(measurements.overhead, undefined);
  });

  it("measures nothing where the evaluation gives no item, or another thing than an item", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    const file = join(folder, "pipeline.yaml");
    for (const [name, items, told] of [
      ["none.mjs", "return;", /`items` of the evaluation gives no item/],
      ["odd.mjs", 'yield "1"; return;', /must give items as \{ id: text, body: bytes/],
      [
        "thrown.mjs",
        'throw new Error("no such folder");',
        /`items` of the evaluation failed at thrown\.mjs:\d+: no such folder/,
      ],
    ] as const) {
      writeFileSync(join(folder, name), code.replace("async *items(count) {", `async *items(count) {\n${items}`));
      writeFileSync(file, readFileSync(file, "utf8").replace(/code: .*/, `code: ./${name}`));
      await assert.rejects(profile(), told);
    }
    assert.deepEqual(lines, []);
    assert.ok(!existsSync(join(folder, "measurements.json")));
  });

  it("refuses an evaluation by which nothing is right, and measures the items alone anew", async () => {
    const file = join(folder, "code.mjs");
    const code = readFileSync(file, "utf8");
    writeFileSync(
      file,
      code.replace(
        "correct: right === 2 && ends.length <= 3, partsCorrect: right",
        "correct: right === 3, partsCorrect: 0",
      ),
    );
    await assert.rejects(profile(), {
      code: "failed_precondition",
      message: /none of 40 items is answered right with any choice of variants.*Correct `score`.*remove `evaluation`/,
    });
    assert.ok(!existsSync(join(folder, "measurements.json")));
    writeFileSync(file, code);
    lines = [];
    const { measurements } = await profile();
    assert.equal(lines.filter(line => line.endsWith("kept from the run before")).length, 4);
    assert.equal(measurements.accuracy?.combinations?.[3]?.accuracy, 1);
  });

  it("writes variants that are never right, with a warning", async () => {
    process.env["TOLERANCE"] = "0";
    const { output, measurements } = await profile({ items: 20 });
    assert.ok(existsSync(output));
    const told = findNeverRight(measurements.accuracy);
    assert.equal(told.length, 2);
    assert.match(
      told[0] ?? "",
      /^first\/light is right on none of 20 items, and heavy on 100 %: .*code takes them for.*--fresh/,
    );
  });

  it("says which model is missing, another one, or none", async () => {
    const model = join(folder, "second-heavy.onnx");
    truncateSync(model, 50);
    await assert.rejects(
      profile(),
      /second-heavy\.onnx of variant second\/heavy has sha256 [0-9a-f]{64}, the pipeline file says .*`variscale profile` again/,
    );
    rmSync(model);
    await assert.rejects(
      profile(),
      /second-heavy\.onnx of variant second\/heavy can't be read: ENOENT.*variscale models prepare/,
    );
    const file = join(folder, "pipeline.yaml");
    writeFileSync(model, "no model");
    const sha256 = createHash("sha256").update("no model").digest("hex");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/(model: second-heavy\.onnx, sha256: ")[0-9a-f]{64}/, `$1${sha256}`));
    await assert.rejects(profile(), {
      code: "failed_precondition",
      message: /second-heavy\.onnx is no ONNX model.*Export it again/,
    });
  });

  it("measures nothing before it knows that the evaluation has items to give", async () => {
    process.env["STOP_AT_ITEM"] = "1";
    await assert.rejects(profile(), /interrupted/);
    assert.deepEqual(lines, []);
  });

  it("says what is wrong with its arguments", async () => {
    await assert.rejects(
      profile({ target: join(folder, "none") }),
      /none can't be read.*Name the folder of a pipeline/,
    );
    await assert.rejects(profile({ items: 0 }), /items must be a whole number from 1 to 100000, is 0/);
    await assert.rejects(
      profile({ items: 1, output: join(folder, "no/such/folder.json") }),
      /folder\.json can't be written/,
    );
    assert.deepEqual(lines, []);
  });
});
