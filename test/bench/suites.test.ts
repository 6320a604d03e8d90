import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "mocha";
import { figure, passes } from "../../bench/figure.ts";
import { reportTable } from "../../bench/report.ts";
import { formatHelp, SUITES } from "../../bench/suites.ts";
import { packageFolder } from "../../runtime/version.ts";

function runBench(...args: readonly string[]) {
  const program = join(packageFolder, "dist/bench/run.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("suites of the bench", function () {
  this.timeout(120_000);

  for (const [name, suite] of Object.entries(SUITES))
    it(`${name} has the parts that its help names, and no others`, async () => {
      const named = Object.keys(suite.parts);
      const options = { only: ["no-such-part"], rows: null, traces: null, isShort: true, isOneSeed: false };
      const parts = named.length === 1 && named[0] === name ? null : named;
      const expected = parts ? `--only: one of ${parts.join(", ")}, not` : "--only: this suite has no parts";
      await assert.rejects(
        async () => suite.measure(options),
        (error: Error) => error.message.startsWith(expected) || assert.fail(error.message),
      );
    });

  it("prints help of all suites and of one, and ends with 0", () => {
    const all = runBench("--help");
    assert.equal(all.status, 0, all.stderr);
    for (const name of Object.keys(SUITES)) assert.match(all.stdout, new RegExp(`^${name}: `, "m"));
    const one = runBench("ladder", "-h");
    assert.equal(one.status, 0, one.stderr);
    assert.equal(one.stdout.trim(), formatHelp("ladder"));
    assert.match(one.stdout, /^ {2}real +9 h /m);
    assert.doesNotMatch(one.stdout, /^scaler:/m);
  });

  it("says what it takes where a suite or an option is none", () => {
    for (const args of [["no-such-suite"], [], ["--help", "no-such-suite"]]) {
      const { status, stderr } = runBench(...args);
      assert.equal(status, 2);
      assert.match(stderr, /give one suite: kubernetes, .*--help/);
    }
    assert.match(runBench("house", "--output", "xml").stderr, /--output: json or table, not `xml`/);
  });
});

describe("passes()", () => {
  it("asks for what was measured to its end alone where bars are only reported, else for what holds", () => {
    const name = "security.blockedMs";
    const cases = [
      [figure(name, 1), true, true],
      [figure(name, 5000), false, true],
      [figure(name, 20_000, { isWhole: false }), false, false],
      [figure(name, 1, { isWhole: false }), false, false],
      [figure(name, null), false, false],
    ] as const;
    for (const [measured, held, reported] of cases)
      assert.deepEqual([passes(measured, false), passes(measured, true)], [held, reported]);
  });
});

describe("reportTable()", () => {
  it("never says that a figure holds, or does not, that was not measured", () => {
    const common = { unit: "ms", bar: 1, direction: "atMost" } as const;
    const text = reportTable({
      suite: "thing",
      machine: "a machine",
      date: "2026-01-01",
      figures: [
        { ...common, name: "a", value: null, holds: false },
        { ...common, name: "b", value: 2, holds: false },
        { ...common, name: "c", value: 1, holds: true },
      ],
    });
    assert.match(text, /^a +not measured +≤ 1 +NOT MEASURED$/m);
    assert.match(text, /^b +2 ms +≤ 1 +DOES NOT HOLD$/m);
    assert.match(text, /^c +1 ms +≤ 1 +holds$/m);
  });
});
