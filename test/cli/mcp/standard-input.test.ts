import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { runVariscale } from "../support/run-variscale.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";

describe("variscale mcp over standard input and output", function () {
  this.timeout(120_000);

  it("ends when its input ends, and writes nothing but messages on its output", async () => {
    const lines = [
      "nonsense",
      "{}",
      '{"jsonrpc":"2.0","id":7,"method":"ping"}',
      '{"jsonrpc":"2.0","id":8,"method":"no/such"}',
    ];
    const { status, stdout, stderr } = await runVariscale(["mcp"], { input: `${lines.join("\n")}\n` });
    assert.equal(status, 0, stderr);
    const answers = stdout
      .trim()
      .split("\n")
      .map(text => JSON.parse(text));
    assert.deepEqual(
      answers.toSorted((a, b) => a.id - b.id).map(({ id, result, error }) => [id, result ?? error.code]),
      [
        [7, {}],
        [8, -32601],
      ],
    );
    // A line that is no JSON is passed over without a word, as the protocol's library has it.
    assert.equal(stderr.match(/message can't be used/g)?.length, 1);
  });

  it("ends where a message is too large", async () => {
    const { status, stderr } = await runVariscale(["mcp"], { input: "x".repeat(3 * 1024 * 1024) });
    assert.equal(status, 0);
    assert.match(stderr, /exceeded maximum size/);
  });

  it("names pipeline files that are wrong, or two of one pipeline", async () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-"));
    try {
      writeTinyPipeline(folder);
      const twice = await runVariscale(["mcp", folder, join(folder, "pipeline.yaml")]);
      assert.equal(twice.status, 2);
      assert.match(twice.stderr, /are both of pipeline default\/tiny: name one of them/);
      writeFileSync(join(folder, "pipeline.yaml"), "a: [");
      assert.match((await runVariscale(["mcp", folder])).stderr, /pipeline\.yaml is not valid/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
