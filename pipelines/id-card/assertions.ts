import { FIELDS } from "./card.ts";
import { checkDigit } from "./check-digit.ts";
import type { CardContext } from "./context.ts";
import { assembleFields } from "./stages/field-assembly.ts";

/** A card holds five fields with their captions and a heading; two of the lines may be split once. */
const MOST_LINES = 13;
const LEAST_LINES = 8;
/** Nobody else has a card. */
const FIRST_BIRTH_YEAR = 1900;
const LONGEST_LIFE_YEARS = 120;
/** Of letters and commas; no name is longer on a card. */
const LONGEST_NAME = 30;

/** What must hold of a right answer. None of them needs labels. */
export const assertions = {
  /** The schema: every field has been found. */
  allFields: ({ lines }: CardContext): boolean => {
    const fields = assembleFields(lines);
    return FIELDS.every(field => fields[field] !== null);
  },
  /** Born before the card ends, and neither in a year that can't be. */
  datesInOrder: ({ lines }: CardContext): boolean => {
    const { birth, expiry } = assembleFields(lines);
    if (birth === null || expiry === null) return true;
    const [born, ends] = [timeOf(birth), timeOf(expiry)];
    return born < ends && yearOf(birth) >= FIRST_BIRTH_YEAR && yearOf(expiry) - yearOf(birth) <= LONGEST_LIFE_YEARS;
  },
  /** Days that are in the calendar. */
  datesExist: ({ lines }: CardContext): boolean => {
    const { birth, expiry } = assembleFields(lines);
    return [birth, expiry].every(date => date === null || isInCalendar(date));
  },
  /** The last character of the document number checks the others. */
  numberChecks: ({ lines }: CardContext): boolean => {
    const { number } = assembleFields(lines);
    return number === null || number.slice(-1) === checkDigit(number.slice(0, -1));
  },
  namesAreNames: ({ lines }: CardContext): boolean => {
    const { surname, given } = assembleFields(lines);
    return [surname, given].every(name => name === null || (/[AEIOUY]/.test(name) && name.length <= LONGEST_NAME));
  },
  linesOfACard: ({ lines }: CardContext): boolean => lines.length >= LEAST_LINES && lines.length <= MOST_LINES,
} as const;

function yearOf(date: string): number {
  return Number(date.slice(6));
}

function timeOf(date: string): number {
  return Date.UTC(yearOf(date), Number(date.slice(3, 5)) - 1, Number(date.slice(0, 2)));
}

function isInCalendar(date: string): boolean {
  return new Date(timeOf(date)).getUTCDate() === Number(date.slice(0, 2));
}
