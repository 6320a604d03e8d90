import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, it } from "mocha";
import { createProgram } from "../../cli/program.ts";
import { packageFolder } from "../../runtime/version.ts";

function variscale(...args: string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, [join(packageFolder, "dist/cli/main.js"), ...args], { encoding: "utf8" });
}

describe("variscale", () => {
  it("shows help with examples for every command and group", () => {
    const commandsOf = (command: Command, above: string[]): string[][] =>
      command.commands.flatMap(sub => {
        const names = [...above, sub.name()];
        return [names, ...commandsOf(sub, names)];
      });
    const all = commandsOf(createProgram(), []);
    assert.ok(all.length > 15);
    for (const command of all) {
      const { status, stdout } = variscale(...command, "--help");
      assert.equal(status, 0, command.join(" "));
      assert.match(stdout, /Examples?:/, command.join(" "));
      assert.match(stdout, /Exit codes: 0 /, command.join(" "));
    }
    assert.match(variscale("demo", "--help").stdout, /exit code/);
  });

  it("names the file, the field and the fix of a pipeline file that is wrong, and exits with 2", () => {
    const { status, stderr } = variscale("up", join(packageFolder, "pipelines/id-card"), "--set", "spec.slo.latency=5");
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^variscale: .*pipeline\.yaml is not valid:\n {2}spec\.slo\.latency: unknown field \(is: 5\)\. Did you mean `latencyMs`\?/,
    );
  });

  it("says what is wrong with a path, a number and a pair", () => {
    const path = variscale("up", "/nowhere/at/all");
    assert.equal(path.status, 1);
    assert.match(path.stderr, /\/nowhere\/at\/all can't be read: .*Name an existing pipeline file or its folder/);
    assert.match(variscale("up", "x", "--cores", "many").stderr, /--cores .* must be a number from 0\.1 to 1024/);
    assert.match(variscale("up", "x", "--port", "70000").stderr, /must be a whole number from 0 to 65535/);
    assert.match(
      variscale("scaler", join(packageFolder, "pipelines/id-card"), "--load-source", "gateway").stderr,
      /must be name=url/,
    );
    assert.match(variscale("demo", "--csv", "/nowhere.csv", "--short").stderr, /--csv \/nowhere\.csv can't be read/);
    assert.match(variscale("switcher").stderr, /--config is missing/);
  });

  it("knows nothing of an unknown command", () => {
    const { status, stderr } = variscale("explode");
    assert.equal(status, 2);
    assert.match(stderr, /unknown command 'explode'/);
  });

  it("says how its switcher is used", () => {
    const { status, stdout, stderr } = variscale("switcher", "--help");
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^Usage: variscale switcher --config <file>/);
    assert.match(
      stdout,
      /\n {2}--pod <name> +unique among the stage's replicas\n[\s\S]*\nExamples:\n {2}variscale switcher --config /,
    );
  });
});
