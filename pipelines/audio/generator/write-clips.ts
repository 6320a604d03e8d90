/**
 * Writes the clips of the data folder: `node dist/pipelines/audio/generator/write-clips.js FOLDER COUNT`.
 * One WAV per seed from 1 on, and labels.json with every word and when it was said.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeWav } from "../wav.ts";
import { renderClip } from "./render-clip.ts";

const [folder = "data", count = "10"] = process.argv.slice(2);
mkdirSync(join(folder, "clips"), { recursive: true });
const labels: string[] = [];
for (let seed = 1; seed <= Number(count); seed++) {
  const { clip, label } = renderClip(seed);
  const file = `clips/${String(seed).padStart(4, "0")}.wav`;
  writeFileSync(join(folder, file), encodeWav(clip));
  labels.push(JSON.stringify({ file, label }));
}
writeFileSync(join(folder, "labels.json"), `[\n${labels.join(",\n")}\n]\n`);
