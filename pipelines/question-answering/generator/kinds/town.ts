import type { Kind } from "../kind.ts";
import { countOf, monthOf, personOf, placeOf, yearOf } from "../setting.ts";

const GOODS = [
  "salt",
  "lace",
  "copper wire",
  "brown paper",
  "honey",
  "rope",
  "slate",
  "candles",
  "cider",
  "wool",
  "brass bells",
  "dried fish",
];

export const TOWN: Kind = {
  name: "town",
  call(random, setting) {
    const name = placeOf(random, setting);
    return { name, later: ["it", "the town", name], object: "it" };
  },
  openers: [
    [
      "The history of {n} is a long one.",
      "{n} is an old settlement.",
      "Old maps show {n} by another name.",
      "How {n} began is told in its chronicle.",
    ],
    [
      "Today {n} is a quiet town.",
      "Visitors to {n} arrive by train.",
      "{n} has changed little in recent years.",
      "Modern {n} lies between two hills.",
    ],
  ],
  relations: [
    {
      passage: 0,
      answer: personOf,
      tells: [
        "{S} was founded by {a}.",
        "Its founder was {a}.",
        "The first house was built by {a}.",
        "It was {a} who laid out the streets.",
      ],
      asks: [
        "Who founded {n}?",
        "Who was the founder of {n}?",
        "By whom was {n} founded?",
        "Who built the first house of {n}?",
        "Who laid out {n}?",
      ],
    },
    {
      passage: 0,
      answer: yearOf,
      tells: [
        "The foundation stone was set in {a}.",
        "{S} was established in {a}.",
        "Settlers came in {a}.",
        "The charter dates from {a}.",
      ],
      asks: [
        "When was {n} founded?",
        "In what year was {n} established?",
        "Which year does the charter of {n} date from?",
        "When did settlers come to {n}?",
        "In which year did {n} begin?",
      ],
    },
    {
      passage: 0,
      answer: random => random.pick(GOODS),
      tells: [
        "{S} grew rich by trade in {a}.",
        "For centuries {s} lived from {a}.",
        "Its merchants sold {a}.",
        "The first workshops made {a}.",
      ],
      asks: [
        "What did {n} trade in?",
        "What made {n} rich?",
        "Which goods did the merchants of {n} sell?",
        "What was made in the workshops of {n}?",
        "What did {n} live from in former times?",
      ],
    },
    {
      passage: 0,
      answer: yearOf,
      tells: [
        "A great flood came in {a}.",
        "{S} was under water in {a}.",
        "In {a} the dam broke.",
        "The flood of {a} destroyed half the houses.",
      ],
      asks: [
        "When was {n} flooded?",
        "In what year did the flood come to {n}?",
        "When did the dam of {n} break?",
        "Which year was {n} under water?",
        "In which year was the flood of {n}?",
      ],
    },
    {
      passage: 1,
      answer: random => countOf(random, 900, 98_000),
      tells: [
        "{S} has {a} inhabitants.",
        "About {a} people live here.",
        "The last census counted {a} residents.",
        "The population is {a}.",
      ],
      asks: [
        "How many people live in {n}?",
        "How many inhabitants does {n} have?",
        "How large is the population of {n}?",
        "How many residents were counted in {n}?",
        "How many citizens has {n}?",
      ],
    },
    {
      passage: 1,
      answer: (random, { rivers }) => `the ${random.pick(rivers)}`,
      tells: [
        "{S} stands on {a}.",
        "A river, {a}, runs through its middle.",
        "Three bridges cross {a}.",
        "The water comes from {a}.",
      ],
      asks: [
        "Which river runs through {n}?",
        "What river does {n} stand on?",
        "Which river do the bridges of {n} cross?",
        "What is the river of {n} called?",
        "On which river is {n}?",
      ],
    },
    {
      passage: 1,
      answer: personOf,
      tells: [
        "The mayor is {a}.",
        "{a} has been elected mayor.",
        "Its mayor, {a}, was a teacher before.",
        "The town hall is led by {a}.",
      ],
      asks: [
        "Who is the mayor of {n}?",
        "Who leads the town hall of {n}?",
        "Who was elected mayor in {n}?",
        "Who governs {n}?",
        "By whom is {n} led?",
      ],
    },
    {
      passage: 1,
      answer: monthOf,
      tells: [
        "A fair is held every {a}.",
        "Each {a} the streets fill for the festival.",
        "The festival takes place in {a}.",
        "In {a} there is a fair on the square.",
      ],
      asks: [
        "When is the fair of {n}?",
        "In which month is the festival of {n}?",
        "When does {n} hold its fair?",
        "In what month does {n} celebrate?",
        "When do the streets of {n} fill for the festival?",
      ],
    },
  ],
  asides: [
    "A road leads to {place}.",
    "{person} painted the market in {year}.",
    "The school has {count} pupils.",
    "The clock tower was repaired in {year}.",
    "People from {place} come here to shop.",
    "A street is named after {person}.",
  ],
};
