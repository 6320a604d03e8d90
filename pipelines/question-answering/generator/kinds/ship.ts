import type { Kind } from "../kind.ts";
import { countOf, personOf, placeOf, yearOf } from "../setting.ts";

const CARGOES = [
  "oranges",
  "timber",
  "marble",
  "tea",
  "gunpowder",
  "spices",
  "cotton",
  "barrels of oil",
  "coffee",
  "iron ore",
];

/** Drifted: no question about ships is seen in training. */
export const SHIP: Kind = {
  name: "ship",
  call(random, { makes }) {
    const name = `the ship ${random.pick(makes)} of ${random.pick(["Grace", "Hope", "Dawn", "Plenty", "Thunder", "Silence"])}`;
    return { name, later: ["the vessel", "the ship"], object: "it" };
  },
  openers: [
    ["Sailors still sing of {n}.", "{N} was laid down as a schooner."],
    ["Every harbour knew {n}.", "{N} crossed the ocean many times."],
  ],
  relations: [
    {
      passage: 0,
      answer: placeOf,
      tells: ["Shipwrights in {a} laid the keel.", "The hull came from a yard at {a}."],
      asks: ["Where was the keel of {n} laid?", "Where is the shipyard that launched {n}?"],
    },
    {
      passage: 0,
      answer: yearOf,
      tells: ["{S} was launched in {a}.", "The launch was celebrated in {a}."],
      asks: ["When was {n} launched?", "In what year was the launch of {n}?"],
    },
    {
      passage: 0,
      answer: personOf,
      tells: ["Her captain was {a}.", "Under {a} as captain {s} never met a storm."],
      asks: ["Who was captain of {n}?", "Who commanded {n}?"],
    },
    {
      passage: 1,
      answer: random => random.pick(CARGOES),
      tells: ["The hold was full of {a}.", "On most voyages {s} carried {a}."],
      asks: ["What did {n} carry?", "Which cargo was in the hold of {n}?"],
    },
    {
      passage: 1,
      answer: random => `${countOf(random, 18, 140)} metres`,
      tells: ["From bow to stern {s} measured {a}.", "The deck was {a} in length."],
      asks: ["How long was {n}?", "How many metres did {n} measure from bow to stern?"],
    },
    {
      passage: 1,
      answer: yearOf,
      tells: ["{S} sank in {a}.", "A reef ended the last voyage in {a}."],
      asks: ["When did {n} sink?", "In which year was {n} wrecked?"],
    },
  ],
  asides: [
    "The anchor lies in {place}.",
    "A model was carved by {person}.",
    "The crew was {count} men strong.",
    "Sails were replaced in {year}.",
  ],
};
