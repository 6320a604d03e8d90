/**
 * Writes the frames of the data folder: `node dist/pipelines/video/generator/write-frames.js FOLDER COUNT`.
 * One JPEG per seed from 1 on, and labels.json with the class and place of everything that is looked for.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderFrame } from "./render-frame.ts";

const [folder = "data", count = "100"] = process.argv.slice(2);
mkdirSync(join(folder, "frames"), { recursive: true });
const labels: string[] = [];
for (let seed = 1; seed <= Number(count); seed++) {
  const { jpeg, label } = await renderFrame(seed);
  const file = `frames/${String(seed).padStart(4, "0")}.jpg`;
  writeFileSync(join(folder, file), jpeg);
  labels.push(JSON.stringify({ file, label }));
}
writeFileSync(join(folder, "labels.json"), `[\n${labels.join(",\n")}\n]\n`);
