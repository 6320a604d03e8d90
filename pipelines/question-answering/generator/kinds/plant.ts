import type { Kind } from "../kind.ts";
import { countOf, monthOf, personOf, placeOf, yearOf } from "../setting.ts";

const HERBS = ["thistle", "fern", "lily", "moss", "clover", "orchid", "nettle", "sage"];
const COLOURS = ["pale yellow", "deep violet", "scarlet", "milky white", "orange", "sky blue", "pink", "dark purple"];
const USES = [
  "dyeing linen",
  "brewing",
  "calming fever",
  "feeding geese",
  "making ink",
  "flavouring soup",
  "scenting soap",
  "stuffing pillows",
];

/** Drifted: no question about plants is seen in training. */
export const PLANT: Kind = {
  name: "plant",
  call(random, { plants }) {
    const herb = random.pick(HERBS);
    return { name: `the ${random.pick(plants)} ${herb}`, later: ["the plant", `the ${herb}`], object: "it" };
  },
  openers: [
    ["Botanists argue about {n}.", "{N} was unknown for a long time."],
    ["Gardeners love {n}.", "{N} thrives on poor soil."],
  ],
  relations: [
    {
      passage: 0,
      answer: personOf,
      tells: ["The first description is by {a}.", "{S} was named and drawn by {a}."],
      asks: ["Who described {n} first?", "Who named {n}?"],
    },
    {
      passage: 0,
      answer: yearOf,
      tells: ["The oldest pressed leaf is of {a}.", "{S} entered the herbarium in {a}."],
      asks: ["When did {n} enter the herbarium?", "What year is the oldest pressed leaf of {n} from?"],
    },
    {
      passage: 0,
      answer: placeOf,
      tells: ["{S} grows wild near {a}.", "The only meadow with it is at {a}."],
      asks: ["Where does {n} grow wild?", "Where is the meadow with {n}?"],
    },
    {
      passage: 1,
      answer: random => `${countOf(random, 5, 320)} centimetres`,
      tells: ["{S} reaches {a} in height.", "Stems of {a} are common."],
      asks: ["How tall does {n} get?", "How many centimetres high are stems of {n}?"],
    },
    {
      passage: 1,
      answer: random => random.pick(COLOURS),
      tells: ["The petals are {a}.", "Its blossom shines {a}."],
      asks: ["What colour are the petals of {n}?", "Which colour has the blossom of {n}?"],
    },
    {
      passage: 1,
      answer: random => random.pick(USES),
      tells: ["The roots are good for {a}.", "Farmers use it for {a}."],
      asks: ["What are the roots of {n} good for?", "What do farmers use {n} for?"],
    },
    {
      passage: 1,
      answer: monthOf,
      tells: ["{S} blooms in {a}.", "Bees visit it in {a}."],
      asks: ["When does {n} bloom?", "In which month do bees visit {n}?"],
    },
  ],
  asides: [
    "A garden in {place} has {count} of them.",
    "{person} tried to grow it indoors.",
    "The summer of {year} was too dry for it.",
    "Seeds are sold in {place}.",
  ],
};
