/** Letters that recognisers take for digits, and the digits they are where only digits can stand. */
const TO_DIGIT: Readonly<Record<string, string>> = {
  O: "0",
  o: "0",
  D: "0",
  Q: "0",
  I: "1",
  l: "1",
  i: "1",
  Z: "2",
  z: "2",
  A: "4",
  S: "5",
  s: "5",
  G: "6",
  T: "7",
  B: "8",
  g: "9",
};

/** The other way round, where only capitals can stand. */
const TO_LETTER: Readonly<Record<string, string>> = {
  "0": "O",
  "1": "I",
  "2": "Z",
  "4": "A",
  "5": "S",
  "6": "G",
  "7": "T",
  "8": "B",
};

/** In document numbers, which have no I and no O. */
const TO_NUMBER_LETTER: Readonly<Record<string, string>> = { ...TO_LETTER, "0": "D", "1": "J", I: "J", O: "D", Q: "D" };

/** Part of a name's letters that has to be read as capitals. */
const MIN_CAPITALS = 0.6;

const NUMBER_PATTERN = /^[A-Z]{2}\d{7}$/;

/** The line as a date DD.MM.YYYY; undefined where it is none. Misread separators don't matter: eight digits make a date. */
export function asDate(line: string): string | undefined {
  const kept = line.replaceAll(/[^A-Za-z0-9]/g, "");
  const digits = unslashed([...kept].map(character => TO_DIGIT[character] ?? character).join(""));
  const isMostlyDigits = kept.replaceAll(/\D/g, "").length >= 5;
  if (!isMostlyDigits || !/^\d{8}$/.test(digits)) return undefined;
  const [day, month, year] = [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4)];
  const isPossible = Number(day) >= 1 && Number(day) <= 31 && Number(month) >= 1 && Number(month) <= 12;
  return isPossible ? `${day}.${month}.${year}` : undefined;
}

/** Slashed zeros are read as eights; where a date can't have an eight (8x.8x.x8xx) it was a zero. */
function unslashed(digits: string): string {
  return digits
    .replace(/^8/, "0")
    .replace(/^(..)8/, "$10")
    .replace(/^(....)28/, "$120");
}

/** The line as a document number (two letters, seven digits, the last of which checks); undefined where it is none. */
export function asNumber(line: string): string | undefined {
  const kept = line.replaceAll(/[^A-Za-z0-9]/g, "");
  const isMixed = kept.replaceAll(/\D/g, "").length >= 4;
  if (kept.length !== 9 || !isMixed) return undefined;
  const letters = (part: string): string => [...part.toUpperCase()].map(c => TO_NUMBER_LETTER[c] ?? c).join("");
  const digits = (part: string): string => [...part].map(c => TO_DIGIT[c] ?? c).join("");
  const number = letters(kept.slice(0, 2)) + digits(kept.slice(2));
  return NUMBER_PATTERN.test(number) ? number : undefined;
}

/**
 * The line as names in capitals with commas between them; undefined where it is not mostly capitals, which captions are
 * not. A separator that was misread still separates.
 */
export function asName(line: string): string | undefined {
  const capitals = line.replaceAll(/[^A-Z]/g, "").length;
  const signs = line.replaceAll(/[^A-Za-z0-9]/g, "").length;
  if (capitals < 2 || capitals < MIN_CAPITALS * signs) return undefined;
  const letters = [...line].map(character => TO_LETTER[character] ?? character).join("");
  return letters
    .toUpperCase()
    .split(/[^A-Z]+/)
    .filter(name => name.length > 1)
    .join(", ");
}
