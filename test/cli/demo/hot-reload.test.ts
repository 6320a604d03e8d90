import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { findReloadStage, judgeHotReload, type PinnedRun } from "../../../cli/demo/hot-reload.ts";
import { ownPipelines, pathOfPipeline } from "../../../cli/own-pipelines.ts";
import { findUnfit } from "../../../domain/memory-fit.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";

describe("the demo's hot reload", () => {
  it("gives a stage of every pipeline of ours memory for two of three variants", () => {
    for (const name of ownPipelines()) {
      const pipeline = readPipeline(pathOfPipeline(name));
      const found = findReloadStage(pipeline);
      assert.ok(found, name);
      const stage = pipeline.stages.find(one => one.name === found.stage);
      assert.ok(stage);
      const sizes = found.variants.map(variant => {
        const sessionMiB = stage.variants.find(one => one.name === variant)?.profile?.memoryMiB;
        assert.ok(sessionMiB);
        return { name: variant, sessionMiB };
      });
      assert.deepEqual(findUnfit({ name, memoryMiB: found.memoryMiB, defaultVariant: "", variants: sizes }), []);
      const all = sizes.reduce((sum, { sessionMiB }) => sum + sessionMiB, 0);
      assert.ok(found.memoryMiB < all + 60, `${name}: all three fit into ${found.memoryMiB} MiB`);
    }
  });

  it("finds none where fewer than three variants were measured", () => {
    const pipeline = readPipeline(pathOfPipeline("video"));
    const stages = pipeline.stages.map(stage => ({ ...stage, variants: stage.variants.slice(0, 2) }));
    assert.equal(findReloadStage({ ...pipeline, stages }), null);
  });
});

describe("judgeHotReload()", () => {
  const stage = { stage: "detection", memoryMiB: 187, variants: ["small", "nano", "medium"] } as const;
  const fromMemory = (variant: string) => ({ variant, wasInMemory: true });
  const fromFile = (variant: string) => ({ variant, wasInMemory: false });
  const SHOWN: PinnedRun = {
    inMemory: ["small", "medium"],
    reloads: [fromFile("nano"), fromMemory("medium"), fromFile("small")],
    refusals: [],
    records: [{ outcome: "served" }, { outcome: "dropped" }],
  };
  const judge = (above: Partial<PinnedRun> = {}) => judgeHotReload(stage, { ...SHOWN, ...above });

  it("passes where every pinned variant served and one was read from its file, and says which", () => {
    const { passed, detail } = judge();
    assert.equal(passed, true);
    assert.equal(
      detail,
      "detection with 187 MiB, for two variants: the ladder had small, medium in memory; pinned: nano read from its file, medium from memory, small read from its file; 1 of 2 requests unanswered",
    );
  });

  const FAULTS: readonly (readonly [fault: string, above: Partial<PinnedRun>])[] = [
    ["no pinned variant came to serve", { reloads: [] }],
    ["two pinned variants did not come to serve", { reloads: [fromFile("nano")] }],
    ["none was read from its file", { reloads: SHOWN.reloads.map(({ variant }) => fromMemory(variant)) }],
    ["none of those that were reached was", { reloads: [fromMemory("nano"), fromMemory("medium")] }],
    ["a pin was refused", { refusals: ["small could not be pinned: 400"], reloads: SHOWN.reloads.slice(0, 2) }],
    ["a request was lost", { records: [{ outcome: "lost" }] }],
  ];
  for (const [fault, above] of FAULTS)
    it(`fails where ${fault}`, () => {
      assert.equal(judge(above).passed, false);
    });

  it("says why a pin was refused", () => {
    const { detail } = judge({ reloads: [], refusals: ["nano could not be pinned: 400 no such variant"] });
    assert.match(detail, /pinned: no pinned variant served; nano could not be pinned: 400 no such variant;/);
  });

  it("stays open where the last pin alone was not reached in time", () => {
    assert.equal(judge({ reloads: SHOWN.reloads.slice(0, 2) }).passed, null);
  });
});
