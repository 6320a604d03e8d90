/** How many hashes there are of each feature; 0 is padding. */
const WORD_HASHES = 2048;
const AFFIX_HASHES = 512;
/** Letters at the beginning and at the end of a word that are looked at on their own. */
const AFFIX_LETTERS = 3;

/** Numbers per word: hash of the word, of its beginning, of its end, and its form with its place. */
export const FEATURES = 4;

/** Where a word stands: in the question, in the passage, or in the passage and in the question too. */
export const PLACES = ["question", "passage", "both"] as const;

export type Place = (typeof PLACES)[number];

/** What a word looks like, whatever it says. */
const FORMS: readonly RegExp[] = [
  /^\p{Ll}+$/u,
  /^\p{Lu}\p{Ll}+$/u,
  /^\d{4}$/,
  /^\d{1,2}$/,
  /^\d+$/,
  /^\d+([.,]\d+)+$/,
  /^[^\p{L}\p{N}]$/u,
];
/** Of what looks like none of them. */
const OTHER_FORM = FORMS.length;

/** Forms and places together; 0 is padding, the last one the slot that stands for no answer. */
export const NO_ANSWER_FORM = PLACES.length * (FORMS.length + 1) + 1;

/** Writes the features of a word to `row` from `at` on. Upper and lower case differ in form alone. */
export function writeFeatures(row: Int32Array, at: number, word: string, place: Place): void {
  const lower = word.toLowerCase();
  row[at] = hash(lower, WORD_HASHES);
  row[at + 1] = hash(lower.slice(0, AFFIX_LETTERS), AFFIX_HASHES);
  row[at + 2] = hash(lower.slice(-AFFIX_LETTERS), AFFIX_HASHES);
  const form = FORMS.findIndex(pattern => pattern.test(word));
  row[at + 3] = 1 + PLACES.indexOf(place) * (FORMS.length + 1) + (form < 0 ? OTHER_FORM : form);
}

/** FNV-1a (Fowler, Noll and Vo) of the UTF-16 units, 1 to `size` - 1. */
function hash(text: string, size: number): number {
  let bits = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193);
  return 1 + (((bits ^ (bits >>> 15)) >>> 0) % (size - 1));
}
