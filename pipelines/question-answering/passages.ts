import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PIPELINE_FOLDER } from "./folder.ts";
import { type Word, wordsOf } from "./stages/words.ts";

/** What answers are looked for in; its index is its number in the retrieval models. */
export interface Passage {
  readonly text: string;
  readonly words: readonly Word[];
}

/** All passages, as they are in the data folder: the retrieval models were made for exactly these. */
export const PASSAGES: readonly Passage[] = (
  JSON.parse(readFileSync(join(PIPELINE_FOLDER, "data/passages.json"), "utf8")) as readonly string[]
).map(text => ({ text, words: wordsOf(text) }));
