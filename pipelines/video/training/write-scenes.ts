/**
 * Writes training data: `node dist/pipelines/video/training/write-scenes.js FOLDER COUNT SEED`.
 * frames.u8 holds one frame after the other (240 rows of 320 bytes), boxes.json the boxes on each; crops.u8 holds three crops of
 * every object (64 rows of 64 bytes) and classes.u8 their classes.
 */
import { mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createRandom, type Random } from "../../random.ts";
import type { Box } from "../box.ts";
import { decodeFrame } from "../decode.ts";
import { CLASSES } from "../frame.ts";
import { renderFrame } from "../generator/render-frame.ts";
import { cropObject } from "../stages/object-crop.ts";

/** Crops of one object, each with another box. */
const CROPS = 3;

const [folder = "scenes", count = "10", seed = "1"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const frames = openSync(join(folder, "frames.u8"), "w");
const crops = openSync(join(folder, "crops.u8"), "w");
const boxes: (readonly Box[])[] = [];
const classes: number[] = [];
for (let i = 0; i < Number(count); i++) {
  const { jpeg, label } = await renderFrame(Number(seed) + i);
  const frame = await decodeFrame(jpeg, "image/jpeg");
  writeSync(frames, frame.data);
  boxes.push(label.objects.map(({ box }) => box));
  const random = createRandom(Number(seed) - 1 - i);
  for (const object of label.objects) {
    for (let crop = 0; crop < CROPS; crop++) {
      writeSync(crops, cropObject(frame, move(random, object.box)));
      classes.push(CLASSES.indexOf(object.class));
    }
  }
}
writeFileSync(join(folder, "boxes.json"), JSON.stringify(boxes));
writeFileSync(join(folder, "classes.u8"), Uint8Array.from(classes));

/** The object's own box, off by as much as detectors are. */
function move(random: Random, [left, top, right, bottom]: Box): Box {
  const x = (right - left) * 0.1;
  const y = (bottom - top) * 0.1;
  return [
    left + random.uniform(-x, x),
    top + random.uniform(-y, y),
    right + random.uniform(-x, x),
    bottom + random.uniform(-y, y),
  ];
}
