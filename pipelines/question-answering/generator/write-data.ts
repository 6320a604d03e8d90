/**
 * Writes the data folder: `node dist/pipelines/question-answering/generator/write-data.js FOLDER COUNT`.
 * passages.json has the texts of all passages, questions.json one question per seed from 1 on with its passage and answer.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WORLD_SEED } from "../evaluation.ts";
import { ask } from "./ask.ts";
import { makeWorld } from "./world.ts";

const [folder = "data", count = "100"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const world = makeWorld(WORLD_SEED, "all");
writeLines(
  "passages.json",
  world.passages.map(({ text }) => text),
);
writeLines(
  "questions.json",
  Array.from({ length: Number(count) }, (_, index) => {
    const { text, label } = ask(world, index + 1);
    return { text, label };
  }),
);

/** An array with a line for each of its values. */
function writeLines(file: string, values: readonly unknown[]): void {
  writeFileSync(join(folder, file), `[\n${values.map(value => JSON.stringify(value)).join(",\n")}\n]\n`);
}
