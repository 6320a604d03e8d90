import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { overlap } from "../../../../pipelines/video/box.ts";
import { decodeFrame } from "../../../../pipelines/video/decode.ts";
import { PIPELINE_FOLDER } from "../../../../pipelines/video/folder.ts";
import { CLASSES } from "../../../../pipelines/video/frame.ts";
import { renderFrame } from "../../../../pipelines/video/generator/render-frame.ts";

const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** How much neighbours differ: what blur takes away. */
function sharpness(pixels: Uint8Array): number {
  let sum = 0;
  for (let i = 1; i < pixels.length; i++) sum += Math.abs((pixels[i] ?? 0) - (pixels[i - 1] ?? 0));
  return sum / pixels.length / mean(pixels);
}

describe("renderFrame()", () => {
  it("gives the same frame for the same seed and scene, and another for another", async () => {
    const first = await renderFrame(7);
    const again = await renderFrame(7);
    assert.ok(Buffer.from(first.jpeg).equals(again.jpeg));
    assert.deepEqual(first.label, again.label);
    assert.notDeepEqual(first.label, (await renderFrame(8)).label);
    assert.ok(!Buffer.from(first.jpeg).equals((await renderFrame(7, "night")).jpeg));
  });

  it("draws the committed frames", async () => {
    const labels = JSON.parse(await readFile(join(PIPELINE_FOLDER, "data/labels.json"), "utf8"));
    assert.equal(labels.length, 100);
    for (const seed of [1, 50, 100]) assert.deepEqual((await renderFrame(seed)).label, labels[seed - 1].label);
  });

  it("labels every object inside the frame, none over another, and all classes in time", async () => {
    const seen = new Set<string>();
    for (let seed = 1000; seed < 1040; seed++) {
      const { objects } = (await renderFrame(seed)).label;
      assert.ok(objects.length >= 1 && objects.length <= 6);
      for (const [index, { class: name, box }] of objects.entries()) {
        seen.add(name);
        assert.ok(box[0] >= 0 && box[1] >= 0 && box[2] <= 320 && box[3] <= 240, `${seed} ${box}`);
        for (const other of objects.slice(index + 1)) assert.equal(overlap(box, other.box), 0, `${seed}`);
      }
    }
    assert.deepEqual([...seen].sort(), [...CLASSES].sort());
  });

  it("makes nights dark, blur soft and small objects small", async () => {
    const looks = {
      day: { light: 0, sharp: 0, side: 0 },
      night: { light: 0, sharp: 0, side: 0 },
      blur: { light: 0, sharp: 0, side: 0 },
      small: { light: 0, sharp: 0, side: 0 },
    };
    for (const scene of ["day", "night", "blur", "small"] as const) {
      for (let seed = 1; seed <= 15; seed++) {
        const { jpeg, label } = await renderFrame(seed, scene);
        const { data } = await decodeFrame(jpeg, "image/jpeg");
        const sides = label.objects.map(({ box }) => Math.sqrt((box[2] - box[0]) * (box[3] - box[1])));
        looks[scene].light += mean(data) / 15;
        looks[scene].sharp += sharpness(data) / 15;
        looks[scene].side += sides.reduce((sum, side) => sum + side, 0) / sides.length / 15;
      }
    }
    assert.ok(looks.night.light < 0.5 * looks.day.light, JSON.stringify(looks));
    assert.ok(looks.blur.sharp < 0.98 * looks.day.sharp, JSON.stringify(looks));
    assert.ok(looks.small.side < 0.6 * looks.day.side, JSON.stringify(looks));
  });
});
