import type { Tensor } from "../../../domain/tensor.ts";
import { FEATURES, NO_ANSWER_FORM, type Place, writeFeatures } from "./word-features.ts";
import type { Word } from "./words.ts";

/** Words of a question that the models see, and of a passage. */
export const QUESTION_WORDS = 24;
export const PASSAGE_WORDS = 63;
/** Slots of the reading stage: first the one for no answer, then the question's words, then the passage's. */
export const READING_SLOTS = 1 + QUESTION_WORDS + PASSAGE_WORDS;
/** Slot of the passage's first word. */
export const PASSAGE_SLOT = 1 + QUESTION_WORDS;

export interface TokenRow extends Tensor {
  readonly data: Int32Array;
}

/** The first words as retrieval takes them; what is missing is padding. */
export function textRow(words: readonly Word[], slots: number, place: Place): TokenRow {
  const data = new Int32Array(slots * FEATURES);
  write(data, 0, words.slice(0, slots), () => place);
  return { datatype: "INT32", shape: [slots, FEATURES], data };
}

/** A question and a passage as reading takes them. */
export function readingRow(question: readonly Word[], passage: readonly Word[]): TokenRow {
  const data = new Int32Array(READING_SLOTS * FEATURES);
  data[FEATURES - 1] = NO_ANSWER_FORM;
  const asked = new Set(question.map(({ text }) => text.toLowerCase()));
  write(data, 1, question.slice(0, QUESTION_WORDS), () => "question");
  write(data, PASSAGE_SLOT, passage.slice(0, PASSAGE_WORDS), ({ text }) =>
    asked.has(text.toLowerCase()) ? "both" : "passage",
  );
  return { datatype: "INT32", shape: [READING_SLOTS, FEATURES], data };
}

function write(data: Int32Array, slot: number, words: readonly Word[], placeOf: (word: Word) => Place): void {
  for (const [index, word] of words.entries()) writeFeatures(data, (slot + index) * FEATURES, word.text, placeOf(word));
}
