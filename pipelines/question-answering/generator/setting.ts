import type { Random } from "../../random.ts";
import { NAMES, namePool } from "./names.ts";

/** The names of one world: subjects share their parts, so that a single word seldom tells them apart. */
export interface Setting {
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly places: readonly string[];
  readonly rivers: readonly string[];
  readonly makes: readonly string[];
  readonly plants: readonly string[];
}

export function makeSetting(random: Random): Setting {
  return {
    first: namePool(random, NAMES.first, 48),
    last: namePool(random, NAMES.last, 130),
    places: namePool(random, NAMES.place, 130),
    rivers: namePool(random, NAMES.river, 60),
    makes: namePool(random, NAMES.make, 40),
    plants: namePool(random, NAMES.plant, 40),
  };
}

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

export const personOf = (random: Random, { first, last }: Setting): string =>
  `${random.pick(first)} ${random.pick(last)}`;

export const placeOf = (random: Random, { places }: Setting): string => random.pick(places);

export const yearOf = (random: Random): string => String(random.integer(1620, 1990));

export const dateOf = (random: Random): string => `${random.integer(1, 28)} ${random.pick(MONTHS)} ${yearOf(random)}`;

export const monthOf = (random: Random): string => random.pick(MONTHS);

/** A whole number with a comma before each three digits. */
export function countOf(random: Random, low: number, high: number): string {
  return String(random.integer(low, high)).replace(/\B(?=(\d{3})+$)/g, ",");
}
