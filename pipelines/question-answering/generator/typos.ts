import type { Random } from "../../random.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Words of four letters and more are mistyped with this probability, each in one place; first letters stay. */
export function addTypos(random: Random, text: string, probability: number): string {
  return text.replace(/\p{L}{4,}/gu, word => (random.chance(probability) ? mistype(random, word) : word));
}

/** One slip: two letters in the wrong order, one left out, one typed twice, or its wrong neighbour. */
export function mistype(random: Random, word: string): string {
  const at = random.integer(1, word.length - 2);
  const before = word.slice(0, at);
  const letter = word.charAt(at);
  const after = word.slice(at + 1);
  switch (random.integer(0, 3)) {
    case 0:
      return before + after.charAt(0) + letter + after.slice(1);
    case 1:
      return before + after;
    case 2:
      return before + letter + letter + after;
    default:
      return before + random.pick([...LETTERS].filter(other => other !== letter)) + after;
  }
}
