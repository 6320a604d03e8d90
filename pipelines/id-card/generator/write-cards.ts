/**
 * Writes the cards of the data folder: `node dist/pipelines/id-card/generator/write-cards.js FOLDER COUNT`.
 * One JPEG per seed from 1 on, and labels.json with the text and place of everything printed on them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCardRenderer } from "./render-card.ts";

const [folder = "data", count = "100"] = process.argv.slice(2);
mkdirSync(join(folder, "cards"), { recursive: true });
const render = openCardRenderer();
const labels: string[] = [];
for (let seed = 1; seed <= Number(count); seed++) {
  const { jpeg, label } = await render(seed);
  const file = `cards/${String(seed).padStart(4, "0")}.jpg`;
  writeFileSync(join(folder, file), jpeg);
  labels.push(JSON.stringify({ file, label }));
}
writeFileSync(join(folder, "labels.json"), `[\n${labels.join(",\n")}\n]\n`);
