import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { setFields } from "../../domain/set-fields.ts";

const TEXT = "spec:\n  slo: { latencyMs: 500 }\n  stages: [{ name: a }, { name: b }]\n";

describe("setFields()", () => {
  it("replaces and adds fields, in objects and in lists", () => {
    const set = setFields(TEXT, ["spec.slo.latencyMs=800", "spec.stages[1].cores=2", "spec.objective.policy=static"]);
    assert.deepEqual(parse(set), {
      spec: {
        slo: { latencyMs: 800 },
        stages: [{ name: "a" }, { name: "b", cores: 2 }],
        objective: { policy: "static" },
      },
    });
  });

  it("leaves the text as it is without pairs", () => {
    assert.equal(setFields(TEXT, []), TEXT);
  });

  it("takes objects and lists as YAML", () => {
    assert.deepEqual(parse(setFields(TEXT, ["spec.replicas={ min: 1, max: [2] }"])).spec.replicas, {
      min: 1,
      max: [2],
    });
  });

  for (const pair of ["spec.slo", "=1", "spec.slo.latencyMs.deep=1"]) {
    it(`refuses ${pair}`, () => {
      assert.throws(() => setFields(TEXT, [pair]), {
        code: "invalid_argument",
        message: new RegExp(`--set ${pair.replaceAll(".", "\\.")}`),
      });
    });
  }

  it("leaves a text that can't be read to its parser, which says where it is broken", () => {
    for (const text of ["a: [\n", "a: 1\na: 2\n", "[".repeat(20_000)]) assert.equal(setFields(text, ["a=3"]), text);
  });

  it("can't reach what every object inherits", () => {
    setFields(TEXT, ["__proto__.polluted=1", "spec.constructor.prototype.polluted=1"]);
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });
});
