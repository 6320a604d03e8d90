/**
 * Writes training data for the recognisers: `node dist/pipelines/id-card/training/write-lines.js FOLDER SHEETS SEED`.
 * lines.u8 holds one line after the other (48 rows of 320 bytes, luminance), lines.txt their texts. About 27 lines a sheet.
 */
import { mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { createRandom, type Random } from "../../random.ts";
import type { Photo } from "../card.ts";
import { loadTypefaces } from "../generator/fonts.ts";
import { drawSheet } from "../generator/line-sheet.ts";
import { moveText, takePhoto } from "../generator/photograph.ts";
import type { Quad } from "../quad.ts";
import { cropLine } from "../stages/line-crop.ts";

const [folder = "lines", sheets = "10", seed = "1"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const typefaces = loadTypefaces();
const pixels = openSync(join(folder, "lines.u8"), "w");
const texts: string[] = [];
for (let sheet = 0; sheet < Number(sheets); sheet++) {
  const random = createRandom(Number(seed) + sheet);
  const { svg, lines } = drawSheet(random, typefaces);
  const { jpeg, map } = await takePhoto(random, svg);
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  const photo: Photo = { width: info.width, height: info.height, data };
  for (const line of lines) {
    const placed = moveText(line, map);
    writeSync(pixels, luminance(cropLine(photo, loosen(random, placed.quad))));
    texts.push(placed.text);
  }
}
writeFileSync(join(folder, "lines.txt"), `${texts.join("\n")}\n`);

/** What the models make of a pixel first: ITU-R BT.601 luma. */
function luminance(line: Uint8Array): Uint8Array {
  const grey = new Uint8Array(line.length / 3);
  for (let at = 0; at < grey.length; at++) {
    const red = line[3 * at] ?? 0;
    const green = line[3 * at + 1] ?? 0;
    const blue = line[3 * at + 2] ?? 0;
    grey[at] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
  }
  return grey;
}

/** The ink's own quad, loosened and turned as detectors do: margins in parts of the height of the text. */
function loosen(random: Random, quad: Quad): Quad {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad;
  const height = Math.hypot(x3 - x0, y3 - y0);
  const length = Math.hypot(x1 - x0, y1 - y0);
  const alongX = (x1 - x0) / length;
  const alongY = (y1 - y0) / length;
  const above = random.uniform(0, 1) * height;
  const below = random.uniform(0, 1) * height;
  const before = random.uniform(0, 0.9) * height;
  const after = random.uniform(0, 0.9) * height;
  const turn = random.uniform(-0.02, 0.02) * length;
  return [
    x0 - alongX * before + alongY * above,
    y0 - alongY * before - alongX * above - turn / 2,
    x1 + alongX * after + alongY * above,
    y1 + alongY * after - alongX * above + turn / 2,
    x2 + alongX * after - alongY * below,
    y2 + alongY * after + alongX * below + turn / 2,
    x3 - alongX * before - alongY * below,
    y3 - alongY * before + alongX * below - turn / 2,
  ];
}
