import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { loadCode } from "../../gateway/load-code.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import { requireVotes } from "../../gateway/votings.ts";
import { numberCode, numberPipeline } from "./number-pipeline.ts";

/** Its file has `votes` for the stage `read`. */
function votingPipeline(policy: Pipeline["objective"]["policy"], mode: Pipeline["mode"], extra = ""): Pipeline {
  const base = numberPipeline(1000, extra);
  const votes = { correlation: 0.5, measured: [] };
  const stages = base.stages.map(stage => (stage.name === "read" ? { ...stage, votes } : stage));
  return { ...base, mode, objective: { ...base.objective, policy }, stages };
}

describe("requireVotes()", () => {
  it("asks for a `vote` where policy, mode and pipeline file let the variants of a stage vote, nowhere else", () => {
    const code = numberCode as PipelineCode;
    const voting = { ...code, stages: { ...code.stages, read: { ...code.stages["read"]!, vote: () => ({}) } } };
    requireVotes(votingPipeline("default", "active"), code);
    requireVotes(votingPipeline("cocktail", "shadow"), code);
    requireVotes(votingPipeline("cocktail", "active"), voting);
    assert.throws(() => requireVotes(votingPipeline("cocktail", "active"), code), {
      code: "failed_precondition",
      message: /^`stages.read` of the pipeline's code has no `vote`, which policy cocktail needs/,
    });
  });
});

describe("loadCode()", () => {
  let folder: string;
  const whole =
    "decode() {}, respond() {}, stages: { count: { rows() {}, collect() {} }, read: { rows() {}, collect() {} } }";
  const load = (specifier: string) =>
    loadCode(numberPipeline(1000, `code: ${JSON.stringify(specifier)}`), join(folder, "p.yaml"));
  const loadText = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return load(`./${name}`);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-code-"));
    mkdirSync(join(folder, "node_modules/some-code"), { recursive: true });
    writeFileSync(join(folder, "node_modules/some-code/package.json"), '{"type":"module","exports":"./a.js"}');
    writeFileSync(join(folder, "node_modules/some-code/a.js"), `export default { ${whole} }`);
  });

  after(() => rmSync(folder, { recursive: true }));

  it("imports a file beside the pipeline file", async () => {
    const code = await loadText("good.mjs", `export default { ${whole} }`);
    assert.deepEqual(Object.keys(code.stages), ["count", "read"]);
  });

  it("imports a package that is installed beside the pipeline file", async () => {
    assert.equal(typeof (await load("some-code")).decode, "function");
  });

  it("finds what variscale itself exports, and says when it is no pipeline's code", async () => {
    await assert.rejects(
      load("variscale/stage"),
      /`variscale\/stage` is not the code of .*: it has no default export that is an object\. Export what `definePipeline`/,
    );
  });

  it("says what is wrong with the default export", async () => {
    const cases: [string, RegExp][] = [
      ["export const a = 1", /no default export/],
      ["export default null", /no default export/],
      [
        "export default { decode: 1, respond() {}, stages: {} }",
        /`decode` is not a function; `stages.count` is not an object with the functions `rows` and `collect`; `stages.read`/,
      ],
      [
        `export default { ${whole.replace("read:", "reads:")} }`,
        /`stages.read` is not .*; `stages.reads` is for a stage that the pipeline does not have/,
      ],
      [
        `export default { ${whole.replace("collect() {} } }", "collect() {}, vote: 1 } }")} }`,
        /`stages.read.vote` is not a function\./,
      ],
      ["export default { decode() {}, respond() {} }", /`stages` is not an object/],
      [`export default { ${whole}, sequences: 1 }`, /: `sequences` is not an object\./],
      [
        `export default { ${whole}, sequences: {} }`,
        /: `sequences.remember` is not a function; `sequences.assertions` is not an object\./,
      ],
      [
        `export default { ${whole}, assertions: { same() {} }, sequences: { remember() {}, assertions: { same() {}, other: 1 } } }`,
        /: `same` is in `assertions` and in `sequences.assertions`, .*; `sequences.assertions.other` is not a function\./,
      ],
    ];
    for (const [i, [text, message]] of cases.entries())
      await assert.rejects(loadText(`wrong-${i}.mjs`, text), { code: "failed_precondition", message });
  });

  it("takes code with assertions over sequences, and code without votes where the policy makes some", async () => {
    const sequences = "sequences: { remember() {}, assertions: { other() {} } }";
    const code = await loadText(
      "sequences.mjs",
      `export default { ${whole}, assertions: { same() {} }, ${sequences} }`,
    );
    assert.equal(typeof code.sequences?.remember, "function");
    writeFileSync(join(folder, "good.mjs"), `export default { ${whole} }`);
    await loadCode(votingPipeline("cocktail", "active", "code: ./good.mjs"), join(folder, "p.yaml"));
  });

  it("says why the code can't be imported", async () => {
    await assert.rejects(
      loadText("syntax.mjs", "export default {"),
      /`\.\/syntax\.mjs`, the code of .*, can't be imported: Unexpected/,
    );
    await assert.rejects(loadText("throws.mjs", "throw new Error('no key')"), /can't be imported: no key/);
    await assert.rejects(
      load("./missing.mjs"),
      /`\.\/missing\.mjs`: there is no file .*missing\.mjs\. Correct `spec\.code`/,
    );
    await assert.rejects(
      load("not-installed-anywhere"),
      /can't be imported: Cannot find package 'not-installed-anywhere'/,
    );
    for (const specifier of ["/etc/passwd", "data:text/javascript,1", "https://x/y.js", "node:fs"])
      await assert.rejects(load(specifier), /is neither a package path nor `\.\/file\.js`/, specifier);
    await assert.rejects(loadCode(numberPipeline(), "p.yaml"), /p\.yaml names no code\. Add `spec\.code`/);
  });
});
