import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { createProgram } from "../../cli/program.ts";

/** As it is printed, in one line. */
function helpOf(...names: string[]): string {
  let command = createProgram();
  for (const name of names) command = command.commands.find(one => one.name() === name) ?? assert.fail(name);
  return command.helpInformation().replace(/\s+/g, " ");
}

describe("--help", () => {
  it("tells defaults as they would be written", () => {
    assert.match(helpOf("backtest"), /--since <time> [^-]*, as 36h or 14d \(default: 14d\)/);
    assert.match(helpOf("backtest"), /--horizon <seconds> [^-]* \(default: 20,60,600\)/);
    assert.match(helpOf("simulate"), /--length <time> [^-]* \(default: 20m\)/);
    assert.match(helpOf("pin"), /--ttl <time> [^-]* \(default: 10m\)/);
    assert.match(helpOf("up"), /--port <port> [^-]* \(default: 8090\)/);
  });

  it("tells of no default that is nothing, or that the text tells", () => {
    for (const names of [["demo"], ["plan"], ["scaler"], ["mode"], ["agent", "advise"]]) {
      const help = helpOf(...names);
      assert.doesNotMatch(help, /default: (false|\[\]|"")|\(default: [^()]*\) \(default/, names.join(" "));
    }
  });
});
