import type { Kind } from "../kind.ts";
import { countOf, dateOf, personOf, placeOf, yearOf } from "../setting.ts";

const SUBJECTS = [
  "astronomy",
  "bridge building",
  "botany",
  "clockmaking",
  "geology",
  "glassmaking",
  "mathematics",
  "mining",
  "navigation",
  "optics",
  "pottery",
  "surveying",
];
const POSTS = [
  "the Harbour Office",
  "the Royal Mint",
  "the Northern Railway",
  "the Tidal Institute",
  "the Weather Service",
  "the Lantern Works",
  "the Salt Company",
  "the Botanical Garden",
  "the Survey of Coasts",
  "the State Archive",
];
const FINDS = [
  "a method of drying cork",
  "a blue pigment",
  "a new alloy of tin",
  "a cave of crystals",
  "a comet",
  "a remedy against rust",
  "a way to bend glass",
  "a spring of warm water",
  "a seam of copper",
  "a glue made of moss",
];

const PRONOUNS = [
  ["she", "her"],
  ["he", "him"],
] as const;

export const PERSON: Kind = {
  name: "person",
  call(random, setting) {
    const first = random.pick(setting.first);
    const last = random.pick(setting.last);
    const [subject, object] = random.pick(PRONOUNS);
    return { name: `${first} ${last}`, later: [subject, last], object, short: last };
  },
  openers: [
    [
      "The early years of {n} are well recorded.",
      "{n} left letters about an unusual childhood.",
      "Much is known of how {n} grew up.",
      "This is the story of young {n}.",
    ],
    [
      "In later life {n} became widely known.",
      "{n} worked until a great age.",
      "The career of {n} was a long one.",
      "Few people achieved as much as {n}.",
    ],
  ],
  relations: [
    {
      passage: 0,
      answer: random => dateOf(random),
      tells: [
        "{S} was born on {a}.",
        "{S} came into the world on {a}.",
        "The parish book gives {a} as the day of birth.",
        "On {a} the family had its first child.",
      ],
      asks: [
        "When was {n} born?",
        "On which date was {n} born?",
        "When did {n} come into the world?",
        "When is the birthday of {n}?",
        "Which date of birth is recorded for {n}?",
      ],
    },
    {
      passage: 0,
      answer: placeOf,
      tells: [
        "{S} grew up in {a}.",
        "The family lived in {a}.",
        "Childhood was spent in {a}, above a bakery.",
        "Home was a small house in {a}.",
      ],
      asks: [
        "Where did {n} grow up?",
        "Where did {n} spend the childhood years?",
        "Where was the childhood home of {n}?",
        "Which town did {n} live in as a child?",
        "Where did the family of {n} live?",
      ],
    },
    {
      passage: 0,
      answer: personOf,
      tells: [
        "{S} was taught by {a}.",
        "The lessons were given by {a}.",
        "It was {a} who taught {o} to read.",
        "A neighbour, {a}, served as tutor.",
      ],
      asks: [
        "Who taught {n}?",
        "Who was the teacher of {n}?",
        "By whom was {n} taught?",
        "Who gave lessons to {n}?",
        "Who was the tutor of young {n}?",
      ],
    },
    {
      passage: 0,
      answer: random => random.pick(SUBJECTS),
      tells: [
        "At school {s} chose {a}.",
        "{S} went on to study {a}.",
        "A scholarship paid for four years of {a}.",
        "The degree was in {a}.",
      ],
      asks: [
        "What did {n} study?",
        "Which subject did {n} choose?",
        "What was the degree of {n} in?",
        "What field did {n} learn at school?",
        "In what subject was {n} trained?",
      ],
    },
    {
      passage: 1,
      answer: random => random.pick(POSTS),
      tells: [
        "{S} was employed by {a}.",
        "For decades the salary came from {a}.",
        "{S} held a post at {a}.",
        "Most working days were spent at {a}.",
      ],
      asks: [
        "What was the employer of {n}?",
        "Which employer did {n} have?",
        "What institution employed {n}?",
        "Which organisation did {n} work for?",
        "What place of work did {n} have?",
      ],
    },
    {
      passage: 1,
      answer: random => random.pick(FINDS),
      tells: [
        "{S} discovered {a}.",
        "Fame came with {a}, found by chance.",
        "It was {s} who found {a}.",
        "The great discovery was {a}.",
      ],
      asks: [
        "What did {n} discover?",
        "What was found by {n}?",
        "What is {n} famous for finding?",
        "Which discovery was made by {n}?",
        "What did {n} find?",
      ],
    },
    {
      passage: 1,
      answer: yearOf,
      tells: [
        "The academy honoured {o} in {a}.",
        "{S} received a medal in {a}.",
        "A gold medal followed in {a}.",
        "In {a} there was a prize at last.",
      ],
      asks: [
        "When did {n} receive a medal?",
        "In what year was {n} honoured?",
        "Which year brought {n} a prize?",
        "When was {n} given an award?",
        "In which year did {n} win a prize?",
      ],
    },
    {
      passage: 1,
      answer: random => countOf(random, 3, 90),
      tells: [
        "{S} wrote {a} books.",
        "The library keeps {a} volumes by {o}.",
        "In all {a} books were published.",
        "{S} left {a} printed works.",
      ],
      asks: [
        "How many books did {n} write?",
        "How many volumes did {n} publish?",
        "How many works were written by {n}?",
        "How many books are there by {n}?",
        "How many printed works did {n} leave?",
      ],
    },
  ],
  asides: [
    "A cousin moved to {place} in {year}.",
    "{person} wrote about it much later.",
    "The winter of {year} was hard for everyone.",
    "Friends came from {place} to visit.",
    "A portrait by {person} hangs in {place}.",
    "The house burnt down in {year}.",
  ],
};
