import type { Word } from "../vocabulary.ts";
import type { PhonemeName } from "./phonemes.ts";

/** How each word is said. */
export const LEXICON: Readonly<Record<Word, readonly PhonemeName[]>> = {
  light: ["l", "ay", "t"],
  lamp: ["l", "ae", "m", "p"],
  door: ["d", "ao", "r"],
  blind: ["b", "l", "ay", "n", "d"],
  heat: ["h", "iy", "t"],
  fan: ["f", "ae", "n"],
  on: ["aa", "n"],
  off: ["ao", "f"],
  up: ["ah", "p"],
  down: ["d", "aw", "n"],
  open: ["ow", "p", "schwa", "n"],
  close: ["k", "l", "ow", "z"],
  start: ["s", "t", "aa", "r", "t"],
  stop: ["s", "t", "aa", "p"],
  one: ["w", "ah", "n"],
  two: ["t", "uw"],
  three: ["th", "r", "iy"],
  four: ["f", "ao", "r"],
  five: ["f", "ay", "v"],
  six: ["s", "ih", "k", "s"],
};
