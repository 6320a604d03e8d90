import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { boardMetrics, type PipelineFacts } from "../../scaler/board-metrics.ts";
import { Exposition } from "../../scaler/exposition.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const NOW_MS = 1_700_000_000_000;

function factsOf(count: number): PipelineFacts[] {
  return Array.from({ length: count }, (_, i) => {
    const pipeline = testPipeline({ name: `p${i}` });
    const control = new PipelineControl({ pipeline, stored: null, epoch: 1, machineCores: null, nowMs: NOW_MS });
    const board = control.tick([{ atMs: NOW_MS, rateRps: 10 + i }], [], NOW_MS);
    return { control, pipeline, board, switchers: [], scaling: {}, processConditions: [] };
  });
}

describe("boardMetrics()", () => {
  it("writes every family once, with the samples of all pipelines", async () => {
    const text = Buffer.concat(await boardMetrics(factsOf(60), NOW_MS)).toString();
    const heads = text.split("\n").filter(line => line.startsWith("# TYPE"));
    assert.equal(new Set(heads).size, heads.length);
    const loads = text.split("\n").filter(line => line.startsWith("variscale_load_requests_per_second{"));
    assert.deepEqual(
      loads,
      Array.from(
        { length: 60 },
        (_, i) => `variscale_load_requests_per_second{namespace="shop",pipeline="p${i}"} ${10 + i}`,
      ),
    );
    for (const line of text.trimEnd().split("\n")) assert.match(line, /^(# (HELP|TYPE) |variscale_\w+\{.*\} \S+$|$)/);
  });

  it("says what accuracy is estimated to be, where it is", async () => {
    const [facts] = factsOf(1);
    assert.ok(facts);
    const estimated = { accuracy: 0.6, measured: 0.9, requests: 100, labels: 0 };
    const text = async (board: PipelineFacts["board"]) =>
      Buffer.concat(await boardMetrics([{ ...facts, board }], NOW_MS)).toString();
    assert.match(await text({ ...facts.board, estimated }), /^variscale_estimated_accuracy_ratio\{.*\} 0\.6$/m);
    assert.match(await text({ ...facts.board, estimated }), /^variscale_measured_accuracy_ratio\{.*\} 0\.9$/m);
    assert.doesNotMatch(await text(facts.board), /estimated_accuracy/);
  });

  it("lets other work have turns in between", async () => {
    let turns = 0;
    let isWritten = false;
    const turn = (): void => {
      turns += 1;
      if (!isWritten) setImmediate(turn);
    };
    setImmediate(turn);
    await boardMetrics(factsOf(100), NOW_MS);
    isWritten = true;
    assert.ok(turns >= 10, `${turns} turns`);
  });
});

describe("Exposition", () => {
  it("leaves families without samples out, and parts the others by an empty line", () => {
    const exposition = new Exposition();
    exposition.family("gauge", "none", "Nothing", ["a"]);
    const one = exposition.family("gauge", "one", "First", ["a"]);
    const two = exposition.family("counter", "two", "Second", ["b"]);
    two(['x"\\\n'], Number.POSITIVE_INFINITY);
    one(["y"], 1.5);
    assert.equal(
      Buffer.concat(exposition.pieces()).toString(),
      '# HELP one First\n# TYPE one gauge\none{a="y"} 1.5\n\n# HELP two Second\n# TYPE two counter\ntwo{b="x\\"\\\\\\n"} +Inf\n',
    );
  });
});
