import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { checkVoting } from "../../scaler/check-voting.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

describe("checkVoting()", () => {
  const pipelineOf = (spec: Readonly<Record<string, unknown>>, votes = true): Pipeline => {
    const pipeline = pipelineFixture([{ name: "say", ladder: { a: [5, 0.8], b: [6, 0.8], c: [7, 0.8] } }], spec);
    if (!votes) return pipeline;
    return { ...pipeline, stages: pipeline.stages.map(s => ({ ...s, votes: { correlation: 0, measured: [] } })) };
  };
  const cocktail = { objective: { policy: "cocktail" } };

  it("refuses votes that nobody would join", () => {
    assert.throws(() => checkVoting(pipelineOf(cocktail), false), {
      code: "failed_precondition",
      message: /default\/fixture: policy `cocktail` lets variants of stage `say` vote.*Write `mode: shadow`/,
    });
  });

  it("refuses votes that the code can't join, also where gateways join those of other stages", () => {
    assert.throws(() => checkVoting(pipelineOf(cocktail), true, ["say"]), {
      code: "failed_precondition",
      message: /of stage `say` vote, and the code of the stage has no `vote`\. Give it one, stay in mode `shadow`/,
    });
    checkVoting(pipelineOf(cocktail), true, ["hear"]);
    checkVoting(pipelineOf({ ...cocktail, mode: "shadow" }), true, ["say"]);
  });

  it("takes them where gateways join them, in mode shadow, and where nothing votes", () => {
    checkVoting(pipelineOf(cocktail), true);
    checkVoting(pipelineOf({ ...cocktail, mode: "shadow" }), false);
    checkVoting(pipelineOf(cocktail, false), false);
    checkVoting(pipelineOf({}), false);
  });
});
