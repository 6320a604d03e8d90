import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { RequestScope } from "../../gateway/request-scope.ts";
import { runPipeline, type StageTrace } from "../../gateway/run-pipeline.ts";
import type { StageAnswer } from "../../gateway/run-stage.ts";
import type { PipelineCode } from "../../gateway/stage.ts";

/** first → (left, right) → join. */
function diamond(): Pipeline {
  const tensor = { name: "x", datatype: "FP32", shape: [-1, 1] };
  const stage = (name: string, dependsOn: string[]) => ({
    name,
    dependsOn,
    defaultVariant: "only",
    contract: { inputs: [tensor], outputs: [tensor] },
    variants: [{ name: "only", model: `${name}.onnx`, sha256: "a".repeat(64) }],
  });
  const text = JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: "diamond" },
    spec: {
      slo: { latencyMs: 500 },
      stages: [
        stage("first", []),
        stage("left", ["first"]),
        stage("right", ["first"]),
        stage("join", ["right", "left"]),
      ],
    },
  });
  const result = parsePipelineFile(text, () => null);
  assert.ok(result.ok, JSON.stringify(result));
  return result.pipeline;
}

const row = (value: number) => ({ x: { datatype: "FP32" as const, shape: [1], data: Float32Array.of(value) } });

/** Two rows for `right`, one for the others; collects who was collected. */
const code: PipelineCode<string[]> = {
  decode: () => [],
  stages: Object.fromEntries(
    ["first", "left", "right", "join"].map(name => [
      name,
      {
        rows: () => (name === "right" ? [row(1), row(2)] : [row(1)]),
        collect: (collected: string[]) => {
          collected.push(name);
        },
      },
    ]),
  ),
  respond: collected => collected,
};

describe("runPipeline() of a graph", () => {
  let scope: RequestScope | undefined;
  afterEach(() => scope?.end({ kind: "cancelled" }));

  /** Starts a request whose inferences end when they are told to; null: the scope ends. */
  function started() {
    const waiting = new Map<string, (answer: StageAnswer | null) => void>();
    const traces: StageTrace[] = [];
    const open = new RequestScope({
      id: "r",
      deadlineMs: 60_000,
      nowMs: () => 0,
      clientGone: new AbortController().signal,
    });
    scope = open;
    const run = {
      pipeline: diamond(),
      code: code as PipelineCode,
      infer: (stage: string) => new Promise<StageAnswer | null>(resolve => waiting.set(stage, resolve)),
      nowMs: () => 0,
      onStage: (trace: StageTrace) => traces.push(trace),
      onAsserted: () => undefined,
      onCollected: () => undefined,
    };
    const outcome = runPipeline(run, { body: new Uint8Array(), contentType: "text/plain" }, open);
    const turn = () => new Promise(resolve => setImmediate(resolve));
    const answer = async (stage: string, rows: number) => {
      const end = waiting.get(stage);
      assert.ok(end, `${stage} has not started`);
      waiting.delete(stage);
      end({
        outputs: Array.from({ length: rows }, () => row(0)),
        rowsByVariant: new Map([[`${stage}-variant`, rows]]),
      });
      await turn();
    };
    return { waiting, traces, outcome, turn, answer, scope: open };
  }

  it("runs branches at the same time and joins them when both are done", async () => {
    const { waiting, traces, outcome, turn, answer } = started();
    await turn();
    assert.deepEqual([...waiting.keys()], ["first"]);
    await answer("first", 1);
    assert.deepEqual([...waiting.keys()].sort(), ["left", "right"]);
    await answer("right", 2);
    assert.deepEqual([...waiting.keys()], ["left"]);
    await answer("left", 1);
    assert.deepEqual([...waiting.keys()], ["join"]);
    await answer("join", 1);
    const served = await outcome;
    assert.deepEqual(served, { kind: "served", body: '["first","right","left","join"]' });
    const join = traces.find(({ stage }) => stage === "join");
    assert.deepEqual(join?.upstream, new Map([["right-variant", 2]]));
    const left = traces.find(({ stage }) => stage === "left");
    assert.deepEqual(left?.upstream, new Map([["first-variant", 1]]));
  });

  it("starts nothing after a branch that has ended the request", async () => {
    const { waiting, outcome, turn, answer, scope: open } = started();
    await turn();
    await answer("first", 1);
    open.end({ kind: "lost", message: "gone" } as Parameters<RequestScope["end"]>[0]);
    waiting.get("left")?.(null);
    await answer("right", 2);
    assert.equal((await outcome).kind, "lost");
    assert.equal(waiting.has("join"), false);
  });
});
