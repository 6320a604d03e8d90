export const WORDS = 512;

/** How often the words of a text fall into each of 512 boxes. */
export function counts(text) {
  const found = new Float32Array(WORDS);
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) {
    let hash = 0;
    for (const letter of word) hash = (Math.imul(hash, 31) + letter.codePointAt(0)) >>> 0;
    found[hash % WORDS] += 1;
  }
  return found;
}
