import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { formatDrifts } from "../../cli/format-drifts.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { type DriftCommand, measureDrifts } from "../../profiler/measure-drifts.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

describe("measureDrifts()", () => {
  let folder: string;
  let lines: string[];
  const measure = (change: Partial<DriftCommand> = {}) =>
    measureDrifts({
      file: join(folder, "pipeline.yaml"),
      modelFolder: folder,
      items: 40,
      onProgress: line => lines.push(line),
      nowMs: () => 1_700_000_000_000,
      random: seededRandom(1),
      ...change,
    });

  beforeEach(() => {
    folder = writeOffsetPipeline();
    lines = [];
  });

  afterEach(() => {
    delete process.env["STOP_AT_DRIFTED"];
    rmSync(folder, { recursive: true });
  });

  /** Nothing tolerates an offset any more; one answer too many shows it. */
  function addDrift(): void {
    const path = join(folder, "code.mjs");
    const drift = `
pipeline.assertions = { twoEnds: ({ ends }) => ends.length === 2 };
const { evaluation } = pipeline;
evaluation.drifts = {
  strict: async function* (count) {
    for await (const item of evaluation.items(count)) {
      if (item.id === process.env.STOP_AT_DRIFTED) throw new Error("interrupted");
      yield { ...item, label: { ...item.label, tolerance: 0 } };
    }
  },
};
export default pipeline;
`;
    writeFileSync(path, readFileSync(path, "utf8").replace("export default {", "const pipeline = {") + drift);
  }

  it("measures every combination on each drift and on none, and writes it", async () => {
    addDrift();
    const { output, measurements } = await measure();
    const accuracies = (name: string) =>
      measurements.drifts[name]?.accuracy?.combinations?.map(({ accuracy, items }) => [accuracy, items]);
    assert.deepEqual(accuracies("none"), [
      [0, 40],
      [0.5, 40],
      [0.5, 40],
      [1, 40],
    ]);
    assert.deepEqual(accuracies("strict"), [
      [0, 40],
      [0, 40],
      [0, 40],
      [1, 40],
    ]);
    assert.deepEqual(measurements.drifts["strict"]?.fanOut, {
      first: { rowsPerRequest: 1 },
      second: { upstream: "first", rowsByVariant: { light: 3, heavy: 2 } },
    });
    assert.equal(output, join(folder, "drift.json"));
    assert.deepEqual(JSON.parse(readFileSync(output, "utf8")), JSON.parse(JSON.stringify(measurements)));
    // Only the heaviest variants were right before and still are.
    assert.equal(measurements.errors["strict"]?.static, 0.25);
    assert.equal(measurements.errors["strict"]?.labelled, null);
    assert.deepEqual(measurements.estimators[1]?.variants, { first: "light", second: "heavy" });
    const [header, , ...lines] = formatDrifts(measurements).split("\n");
    assert.match(header ?? "", /^variants +none +strict$/);
    assert.match(lines[1] ?? "", /^light → heavy +50\.0 % +0\.0 %$/);
    assert.ok(lines.some(line => /^strict +25\.0 % +\d+\.\d % +.* → .* \d+\.\d % +– +– +–$/.test(line)));
    // Of 40 items 10 can be labelled at most; both stages are right on right inputs where the answer is.
    const [few, ...more] = measurements.errors["strict"]?.labels ?? [];
    assert.deepEqual([few?.labels, few?.alone, few?.product, more], [10, 0, 0, []]);
    assert.ok(lines.some(line => /^strict +10 +0\.0 % +\d+\.\d % +0\.0 % +\d+\.\d %$/.test(line)));
    assert.match(lines.at(-1) ?? "", /^any of them +strict +66\.7 % +0\.0 % +100\.0 %$/);
  });

  it("writes what assertions find of right and of wrong answers, by drift", async () => {
    addDrift();
    const { measurements } = await measure();
    const found = (name: string) =>
      measurements.drifts[name]?.assertions.map(({ assertion, ofWrong, ofRight, wrongOfBroken }) => [
        assertion,
        ...[ofWrong, ofRight, wrongOfBroken].map(({ share, answers }) => [share, answers]),
      ]);
    // The two combinations whose first stage is light give three ends; they are wrong for 60 of their 80 answers.
    const none = [
      [0.75, 80],
      [0.25, 80],
      [0.75, 80],
    ];
    assert.deepEqual(found("none"), [
      ["twoEnds", ...none],
      [null, ...none],
    ]);
    const strict = [
      [0.666667, 120],
      [0, 40],
      [1, 80],
    ];
    assert.deepEqual(found("strict"), [
      ["twoEnds", ...strict],
      [null, ...strict],
    ]);
  });

  it("goes on where a run that was broken off was, with the same result, and starts anew with `fresh`", async () => {
    addDrift();
    const whole = (await measure()).measurements;
    const breakOff = async (): Promise<void> => {
      process.env["STOP_AT_DRIFTED"] = "item-25";
      await assert.rejects(measure({ output: join(folder, "again.json") }), /interrupted/);
      delete process.env["STOP_AT_DRIFTED"];
    };
    await breakOff();
    assert.equal(existsSync(join(folder, "again.json")), false);
    lines = [];
    const { measurements } = await measure({ output: join(folder, "again.json") });
    assert.deepEqual(measurements, whole);
    const kept = lines.flatMap(line => /^(\w+): (\d+) items were kept/.exec(line)?.slice(1) ?? []);
    // An item may have been under way in another process.
    assert.deepEqual(kept.slice(0, 3), ["none", "40", "strict"]);
    assert.ok(Number(kept[3]) >= 22 && Number(kept[3]) <= 24, kept[3]);
    assert.ok(!existsSync(join(folder, ".variscale")));

    await breakOff();
    lines = [];
    await measure({ output: join(folder, "again.json"), fresh: true });
    assert.ok(!lines.some(line => line.includes("kept")));
  });

  it("says how far it is, and for how long it will go on", async () => {
    addDrift();
    let nowMs = 0;
    // A minute goes by with each look at the clock.
    await measure({ nowMs: () => (nowMs += 60_000) });
    const [first] = lines;
    assert.match(first ?? "", /^none: 20 of 40 items, about \d+ min left$/);
    const left = lines
      .flatMap(line => Number(/about (\d+) min left/.exec(line)?.[1] ?? Number.NaN))
      .filter(Number.isFinite);
    // 20 of 80 items took a minute or two each, so that 60 are left.
    assert.ok((left[0] ?? 0) >= 60 && (left[0] ?? 0) <= 240, `${left}`);
    assert.ok(left.every(minutes => minutes > 0));
    assert.ok(lines.includes("strict: 40 of 40 items"), `${lines}`);
  });

  it("says seconds where less than a minute is left", async () => {
    addDrift();
    let nowMs = 0;
    await measure({ nowMs: () => (nowMs += 50) });
    assert.match(lines[0] ?? "", /^none: 20 of 40 items, about \d+ s left$/);
  });

  it("goes on where what was measured can't be kept, and says so once", async () => {
    addDrift();
    let nowMs = 0;
    const onProgress = (line: string): void => {
      if (lines.length === 0) writeFileSync(join(folder, ".variscale"), "no folder");
      if (line.includes("can't be gone on with")) rmSync(join(folder, ".variscale"));
      lines.push(line);
    };
    const { measurements } = await measure({
      onProgress,
      nowMs: () => {
        if (lines.length > 0) nowMs += 60_000;
        return nowMs;
      },
    });
    assert.equal(measurements.drifts["strict"]?.accuracy?.combinations?.[3]?.items, 40);
    assert.equal(lines.filter(line => line.includes("a run that is broken off can't be gone on with")).length, 1);
  });

  it("says what is missing where nothing has drifted", async () => {
    await assert.rejects(
      measure(),
      (error: unknown) =>
        error instanceof VariscaleError &&
        error.code === "failed_precondition" &&
        /has no `evaluation\.drifts`/.test(error.message),
    );
  });
});
