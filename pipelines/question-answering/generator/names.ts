import type { Random } from "../../random.ts";

const ONSETS = [
  "b",
  "br",
  "c",
  "d",
  "dr",
  "f",
  "g",
  "gr",
  "h",
  "j",
  "k",
  "l",
  "m",
  "n",
  "p",
  "r",
  "s",
  "st",
  "t",
  "tr",
];
const LATE_ONSETS = [
  "b",
  "d",
  "g",
  "k",
  "l",
  "ll",
  "lm",
  "ld",
  "m",
  "n",
  "nd",
  "nt",
  "r",
  "rd",
  "rv",
  "s",
  "st",
  "t",
  "v",
  "z",
];
const VOWELS = ["a", "e", "i", "o", "u", "ae", "ea", "ia", "ou"];
const FIRST_ENDINGS = ["a", "an", "el", "en", "ia", "il", "in", "is", "o", "on", "us", "yn"];
const LAST_ENDINGS = ["ack", "and", "ard", "ell", "em", "ett", "ick", "in", "ost", "ow", "ulf", "usk"];
const PLACE_ENDINGS = ["bay", "dale", "ford", "gate", "ham", "holm", "mere", "mouth", "stead", "well", "wick", "worth"];
const RIVER_ENDINGS = ["ar", "ent", "er", "iss", "ona", "une"];
const MAKE_ENDINGS = ["ax", "etta", "ex", "ino", "ix", "odyne", "on", "or", "uma"];
const PLANT_ENDINGS = ["aria", "elia", "ica", "ilis", "ora", "ula"];

const stem = (random: Random): string => random.pick(ONSETS) + random.pick(VOWELS) + random.pick(LATE_ONSETS);

const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

const named =
  (endings: readonly string[]) =>
  (random: Random): string =>
    capitalised(stem(random) + random.pick(endings));

/** Invented names; none is looked up anywhere. */
export const NAMES = {
  first: named(FIRST_ENDINGS),
  last: named(LAST_ENDINGS),
  place: named(PLACE_ENDINGS),
  river: named(RIVER_ENDINGS),
  make: named(MAKE_ENDINGS),
  plant: named(PLANT_ENDINGS),
} as const;

/** This many different names. */
export function namePool(random: Random, name: (random: Random) => string, count: number): readonly string[] {
  const names = new Set<string>();
  while (names.size < count) names.add(name(random));
  return [...names];
}
