import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { PipelineCodeError } from "../../gateway/guarded-code.ts";
import { loadCode } from "../../gateway/load-code.ts";
import type { PipelineCode, StageCode } from "../../gateway/stage.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

const BODY = Buffer.from("1");

describe("the code of a pipeline", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-code-"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** Each test writes a file of its own name: a module is imported once. */
  const load = (file: string, text: string): Promise<PipelineCode> => {
    writeFileSync(join(folder, file), text);
    const pipeline = { ...pipelineFixture([{ name: "gate", ladder: { light: [8, 0.9] } }]), code: `./${file}` };
    return loadCode(pipeline, join(folder, "pipeline.yaml"));
  };
  const code = (change: string) => `const whole = {
  decode: body => Number(body),
  stages: { gate: { rows: () => [{}], collect: () => {} } },
  respond: () => 1,
};
function boom() {
  throw new TypeError("boom");
}
const rejects = async () => boom();
${change}
export default whole;
`;
  const findGate = ({ stages }: PipelineCode) => stages["gate"] as StageCode<unknown>;

  it("that throws is blamed by stage, function and line, with its own stack and nothing of ours", async () => {
    const guarded = await load("throws.mjs", code("whole.stages.gate.rows = () => boom();"));
    assert.throws(
      () => findGate(guarded).rows(1),
      (error: unknown) => {
        assert.ok(error instanceof PipelineCodeError && error.cause instanceof TypeError);
        assert.equal(error.message, "`rows` of stage `gate` failed at throws.mjs:7: TypeError: boom");
        assert.equal(error.ownStack.length, 2);
        assert.equal(error.ownStack[0], `at boom (${join(folder, "throws.mjs")}:7:9)`);
        assert.ok(!error.text.includes("guarded-code"), error.text);
        return true;
      },
    );
  });

  it("that rejects is blamed as well", async () => {
    const guarded = await load("rejects.mjs", code("whole.stages.gate.collect = rejects;"));
    await assert.rejects(
      async () => findGate(guarded).collect(1, []),
      /`collect` of stage `gate` failed at rejects.mjs:7: TypeError: boom/,
    );
  });

  it("that gives something else than it must is told what it must give", async () => {
    const object = await load("object.mjs", code("whole.stages.gate.rows = () => ({ x: 1 });"));
    assert.throws(
      () => findGate(object).rows(1),
      /`rows` of stage `gate` must give a list of rows, an object of tensors each, and gave an object with x/,
    );
    const evaluation = "items: async function* () {}, ideal: () => {}, stageCorrect: () => 1";
    const scored = await load("score.mjs", code(`whole.evaluation = { ${evaluation}, score: () => true };`));
    assert.throws(
      () => scored.evaluation?.score(1, 1),
      /`score` of the evaluation must give \{ correct: true or false, .* and gave boolean `true`/,
    );
    assert.throws(() => scored.evaluation?.stageCorrect(1, 1, "gate"), /must give true or false, and gave number `1`/);
    for (const [i, score] of [
      "{ correct: 1, parts: 1, partsCorrect: 1 }",
      "{ correct: true, parts: NaN, partsCorrect: 1 }",
      "{ correct: true }",
    ].entries()) {
      const wrong = await load(
        `score-${i}.mjs`,
        code(`whole.evaluation = { ${evaluation}, score: () => (${score}) };`),
      );
      assert.throws(() => wrong.evaluation?.score(1, 1), /and gave an object with correct/, score);
    }
  });

  it("says what is missing of an evaluation", async () => {
    await assert.rejects(
      load("no-ideal.mjs", code("whole.evaluation = { items: () => {}, score: () => {}, stageCorrect: () => {} };")),
      /`evaluation\.ideal` is not a function/,
    );
  });

  it("refuses a wrong request by its own words, as before", async () => {
    const guarded = await load(
      "refuses.mjs",
      code(`whole.decode = () => { throw Object.assign(new Error("no card"), { code: "invalid_argument" }); };`),
    );
    assert.throws(
      () => guarded.decode(BODY, ""),
      (error: unknown) =>
        !(error instanceof PipelineCodeError) && error instanceof Error && error.message === "no card",
    );
  });

  it("keeps what its functions call `this`", async () => {
    const guarded = await load(
      "this.mjs",
      code("whole.answer = 42; whole.respond = function () { return this.answer; };"),
    );
    assert.equal(guarded.respond(1), 42);
  });

  it("is told the line of a syntax error, and that Python does not run there", async () => {
    await assert.rejects(load("comma.mjs", "export default {\n  a: ,\n};\n"), /Unexpected token ','.*comma\.mjs:2\)/);
    await assert.rejects(load("index.py", "print(1)"), /is a JavaScript module.*Python does not run there/);
  });
});
