import type { Kind } from "../kind.ts";
import { countOf, personOf, placeOf, yearOf } from "../setting.ts";

const POWERS = [
  "compressed air",
  "a clockwork spring",
  "steam",
  "falling water",
  "a hand crank",
  "two batteries",
  "paraffin",
  "a foot pedal",
  "gas",
  "sunlight",
];
const MATERIALS = [
  "walnut",
  "brass",
  "painted steel",
  "ivory white enamel",
  "cast iron",
  "oiled leather",
  "green glass",
  "black rubber",
  "polished oak",
  "zinc",
];
const JOBS = [
  "a loom",
  "a calculating machine",
  "a pump",
  "a printing press",
  "a camera",
  "a radio",
  "a lathe",
  "a weather station",
  "a sewing machine",
  "a projector",
];

export const DEVICE: Kind = {
  name: "device",
  call(random, { makes }) {
    const name = `${random.pick(makes)} ${random.integer(2, 990)}`;
    return { name: `the ${name}`, later: ["it", "the machine"], object: "it" };
  },
  openers: [
    [
      "Collectors know well how {n} came about.",
      "{N} has a curious origin.",
      "Nobody expected {n} to be built at all.",
      "A museum shows the first model of {n}.",
    ],
    [
      "{N} is described in an old catalogue.",
      "The manual of {n} is short.",
      "Those who use {n} praise its simplicity.",
      "Repairs of {n} are still possible.",
    ],
  ],
  relations: [
    {
      passage: 0,
      answer: personOf,
      tells: [
        "{S} was designed by {a}.",
        "The drawings were made by {a}.",
        "It was {a} who had the idea.",
        "Its inventor was {a}.",
      ],
      asks: [
        "Who designed {n}?",
        "Who invented {n}?",
        "By whom was {n} designed?",
        "Who made the drawings of {n}?",
        "Who had the idea of {n}?",
      ],
    },
    {
      passage: 0,
      answer: yearOf,
      tells: [
        "Sales began in {a}.",
        "{S} was first sold in {a}.",
        "In {a} the first one left the factory.",
        "{S} appeared in {a}.",
      ],
      asks: [
        "When was {n} first sold?",
        "In what year did {n} appear?",
        "Which year did sales of {n} begin?",
        "When did {n} come on the market?",
        "In which year did the first of {n} leave the factory?",
      ],
    },
    {
      passage: 0,
      answer: placeOf,
      tells: [
        "{S} was built in {a}.",
        "The factory stood in {a}.",
        "Production took place in {a}.",
        "Workers in {a} assembled the parts.",
      ],
      asks: [
        "Where was {n} built?",
        "Where was {n} made?",
        "Where did the production of {n} take place?",
        "Which town was {n} assembled in?",
        "Where was the factory of {n}?",
      ],
    },
    {
      passage: 0,
      answer: random => `${countOf(random, 12, 4800)} crowns`,
      tells: ["The first price was {a}.", "{S} cost {a}.", "Shops asked {a} for one.", "Buyers paid {a}."],
      asks: [
        "How much did {n} cost?",
        "How much was paid for {n}?",
        "How many crowns did {n} cost?",
        "How much did shops ask for {n}?",
        "How much money did buyers pay for {n}?",
      ],
    },
    {
      passage: 1,
      answer: random => `${countOf(random, 2, 950)} kilograms`,
      tells: [
        "{S} weighs {a}.",
        "The weight is {a}.",
        "With its case it comes to {a}.",
        "On the scales one finds {a}.",
      ],
      asks: [
        "How much does {n} weigh?",
        "How heavy is {n}?",
        "How many kilograms does {n} weigh?",
        "How heavy is {n} on the scales?",
        "How much is the weight of {n}?",
      ],
    },
    {
      passage: 1,
      answer: random => random.pick(POWERS),
      tells: ["{S} is driven by {a}.", "The power comes from {a}.", "{S} runs on {a}.", "The motor needs {a}."],
      asks: [
        "What drives {n}?",
        "What does {n} run on?",
        "What power does {n} need?",
        "What is {n} driven by?",
        "Which source of power does {n} have?",
      ],
    },
    {
      passage: 1,
      answer: random => random.pick(MATERIALS),
      tells: [
        "The case is of {a}.",
        "Its outside is covered with {a}.",
        "The body is made of {a}.",
        "The cover is {a}.",
      ],
      asks: [
        "What is the case of {n} made of?",
        "Which material is {n} covered with?",
        "What material is the body of {n}?",
        "What is {n} made of?",
        "Of what is the cover of {n}?",
      ],
    },
    {
      passage: 1,
      answer: random => random.pick(JOBS),
      tells: ["{S} is used as {a}.", "At heart it is {a}.", "In workshops {s} serves as {a}.", "Experts call it {a}."],
      asks: [
        "What is {n} used as?",
        "What sort of machine is {n}?",
        "What does {n} serve as?",
        "What kind of device is {n}?",
        "As what is {n} used?",
      ],
    },
  ],
  asides: [
    "A copy was found in {place} in {year}.",
    "{person} owned three of them.",
    "A dealer in {place} sells spare parts.",
    "A later model has {count} parts.",
    "The patent expired in {year}.",
    "{person} took one on a long voyage.",
  ],
};
