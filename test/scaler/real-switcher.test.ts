import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { affineModel, writeModel } from "../support/models.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { AFFINE, affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { RunningScaler } from "./support/running-scaler.ts";

describe("scaler and variant-switcher", () => {
  it("make a pod serve what is planned, and another variant once that is pinned", async () => {
    const folder = new TestFolder();
    const stage = { name: "affine", ladder: { a: [2, 0.9], b: [3, 0.95], c: [1, 0.8] } } as const;
    const running = await RunningScaler.start({ pipelines: [pipelineFixture([stage])] });
    const switcher = await TestSwitcher.start(
      affineConfig(folder.path, {
        pipeline: { namespace: "default", name: "fixture" },
        scalerAddress: `127.0.0.1:${running.scaler.ports.switchers}`,
      }),
    );
    const views = () => running.scaler.switchers(running.pipeline.key);
    const serves = async (variant: string): Promise<boolean> => {
      await running.clock.advance(1000);
      return views()[0]?.variant === variant && views()[0]?.applied.counter === views()[0]?.assigned?.version.counter;
    };
    try {
      await running.planFor(5);
      await until(() => serves("b"), "serving the most accurate variant");
      // The report that it serves may have come after the tick.
      const isReady = async () => {
        await running.clock.advance(1000);
        return running.board?.stages[0]?.replicasReady === 1;
      };
      await until(isReady, "ready");
      assert.equal(views()[0]?.address, `127.0.0.1:${switcher.switcher.ports.http}`);
      await fetch(running.url("/api/v1/pipelines/default/fixture/pin"), {
        method: "PUT",
        body: JSON.stringify({ stage: "affine", variant: "c", ttlMs: 3_600_000 }),
      });
      await until(() => serves("c"), "serving what is pinned");
      const answer = await switcher.infer([4]);
      assert.equal(answer.body.model_version, "c");
      assert.equal(answer.body.outputs?.[0]?.data[0], AFFINE["c"]?.(4));
    } finally {
      await switcher.close();
      await running.close();
      folder.delete();
    }
  });

  it("go without a variant that is not installed, with no refusal, and serve it once its file is there", async () => {
    const folder = new TestFolder();
    const stage = { name: "affine", ladder: { a: [2, 0.9], b: [3, 0.95], c: [1, 0.8] } } as const;
    const running = await RunningScaler.start({ pipelines: [pipelineFixture([stage])] });
    // Planned before there is a pod: with all variants.
    await running.planFor(5);
    const config = affineConfig(folder.path, {
      pipeline: { namespace: "default", name: "fixture" },
      scalerAddress: `127.0.0.1:${running.scaler.ports.switchers}`,
    });
    rmSync(join(folder.path, "b.onnx"));
    const switcher = await TestSwitcher.start(config, { fileCheckMs: 50 });
    const served = () => running.scaler.switchers(running.pipeline.key)[0]?.variant;
    const serves = async (variant: string): Promise<boolean> => {
      await running.clock.advance(1000);
      return served() === variant;
    };
    try {
      assert.equal(running.board?.stages[0]?.newcomer?.top, "b");
      await until(() => serves("a"), "serving the best that is there");
      assert.ok(running.board?.reasons.includes("not_installed"));
      const tried = (await switcher.switches()).map(({ to, outcome }) => [to, outcome]);
      const lightestFirst = [
        ["c", "done"],
        ["a", "done"],
      ];
      assert.deepEqual(tried, lightestFirst);
      writeModel(folder.path, "b", affineModel(3, 5));
      await until(() => serves("b"), "serving what was installed");
      assert.equal((await switcher.infer([4])).body.outputs?.[0]?.data[0], AFFINE["b"]?.(4));
    } finally {
      await switcher.close();
      await running.close();
      folder.delete();
    }
  });
});
