/**
 * Writes training data: `node dist/pipelines/question-answering/training/write-questions.js FOLDER WORLDS QUESTIONS SEED`.
 * Every world has its own names, and this many questions. Arrays are little-endian, row-major:
 * passages.u16 [n, 63, 4] the passages of all worlds; index.u16 [n, 63, 4] those of the data folder, which are not trained on;
 * questions.u16 [q, 24, 4]; labels.i32 [q, 3] the passage, one that is easily taken for it, and whose world it is;
 * readings.u16 [2 q, 88, 4] each question with both of them; spans.i32 [2 q, 2] first and last slot of the answer, 0 where there is none.
 */
import { mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../random.ts";
import { ask } from "../generator/ask.ts";
import { makeWorld, type WorldPassage } from "../generator/world.ts";
import { PASSAGES } from "../passages.ts";
import {
  PASSAGE_SLOT,
  PASSAGE_WORDS,
  QUESTION_WORDS,
  readingRow,
  type TokenRow,
  textRow,
} from "../stages/token-rows.ts";
import { type Word, wordsOf } from "../stages/words.ts";

const [folder = "questions", worlds = "1", questions = "100", seed = "10000000"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const open = (name: string): number => openSync(join(folder, name), "w");
const files = {
  passages: open("passages.u16"),
  questions: open("questions.u16"),
  readings: open("readings.u16"),
  labels: open("labels.i32"),
  spans: open("spans.i32"),
};
const narrow = ({ data }: TokenRow): Uint16Array => Uint16Array.from(data);
const passageRow = (words: readonly Word[]): Uint16Array => narrow(textRow(words, PASSAGE_WORDS, "passage"));

const index = openSync(join(folder, "index.u16"), "w");
for (const { words } of PASSAGES) writeSync(index, passageRow(words));

let before = 0;
for (let w = 0; w < Number(worlds); w++) {
  const worldSeed = Number(seed) + w * 1_000_000;
  const world = makeWorld(worldSeed, "asked in training");
  const words = world.passages.map(({ text }) => wordsOf(text));
  for (const passage of words) writeSync(files.passages, passageRow(passage));
  const random = createRandom(worldSeed - 1);
  for (let q = 1; q <= Number(questions); q++) {
    const { text, label, fact, rivals } = ask(world, worldSeed + q);
    const asked = wordsOf(text);
    const rival = random.pick(rivals);
    writeSync(files.questions, narrow(textRow(asked, QUESTION_WORDS, "question")));
    writeSync(files.labels, Int32Array.of(before + label.passage, before + rival, w));
    for (const passage of [label.passage, rival])
      writeSync(files.readings, narrow(readingRow(asked, words[passage] ?? [])));
    const passage = world.passages[label.passage] as WorldPassage;
    writeSync(files.spans, Int32Array.of(...slotsOf(words[label.passage] ?? [], fact.at, passage, label.answer), 0, 0));
  }
  before += world.passages.length;
}
writeFileSync(
  join(folder, "worlds.json"),
  JSON.stringify({ worlds: Number(worlds), questions: Number(questions), passages: before }),
);

/** First and last slot of the answer. */
function slotsOf(words: readonly Word[], at: number, { text }: WorldPassage, answer: string): [number, number] {
  const first = words.findIndex(({ start }) => start === at);
  const last = words.findIndex(({ end }) => end === at + answer.length);
  if (first < 0 || last < first || last >= PASSAGE_WORDS)
    throw new Error(`\`${answer}\` is not made of words of: ${text}`);
  return [PASSAGE_SLOT + first, PASSAGE_SLOT + last];
}
