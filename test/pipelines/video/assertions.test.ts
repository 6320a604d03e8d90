import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { brokenAssertions } from "../../../gateway/signals.ts";
import type { PipelineCode } from "../../../gateway/stage.ts";
import type { Box } from "../../../pipelines/video/box.ts";
import type { FrameContext } from "../../../pipelines/video/context.ts";
import type { ObjectClass } from "../../../pipelines/video/frame.ts";
import { renderFrame } from "../../../pipelines/video/generator/render-frame.ts";
import code from "../../../pipelines/video/index.ts";

/** Objects as they were found: class, box, score and confidence. */
function contextOf(objects: readonly (readonly [ObjectClass, Box, number?, number?])[]): FrameContext {
  return {
    frame: { width: 320, height: 240, data: new Uint8Array(320 * 240) },
    regions: objects.map(([, box, score = 0.9]) => ({ box, score })),
    classified: objects.map(([name, , , confidence = 0.9]) => ({ class: name, confidence })),
  };
}

const broken = (...objects: Parameters<typeof contextOf>[0]): string[] =>
  brokenAssertions(code as PipelineCode, contextOf(objects));

describe("assertions", () => {
  it("hold of every frame as it was drawn", async () => {
    for (let seed = 2000; seed < 2060; seed++) {
      const { objects } = (await renderFrame(seed)).label;
      const found = objects.map(({ class: name, box }): readonly [ObjectClass, Box] => [name, box]);
      assert.deepEqual(broken(...found), [], `${seed}`);
    }
  });

  it("tell boxes of one object, odd proportions, too many and no objects, and classes that are guessed", () => {
    assert.deepEqual(broken(["car", [10, 10, 50, 25]], ["car", [20, 10, 60, 25]]), ["boxesApart"]);
    assert.deepEqual(broken(["pedestrian", [10, 10, 50, 25]]), ["proportions"]);
    assert.deepEqual(broken(["car", [10, 10, 16, 26]]), ["proportions"]);
    const many = Array.from({ length: 9 }, (_, i): readonly [ObjectClass, Box] => [
      "car",
      [0, 20 * i, 40, 20 * i + 15],
    ]);
    assert.deepEqual(broken(...many), ["fewObjects"]);
    assert.deepEqual(broken(...many.slice(1)), []);
    assert.deepEqual(broken(), ["someObject"]);
    assert.deepEqual(broken(["car", [10, 10, 50, 25], 0.9, 0.3]), ["sureClasses"]);
    assert.deepEqual(broken(["car", [10, 10, 50, 25], 0.5, 0.3]), []);
  });
});
