import { createRandom, type Random } from "../../random.ts";
import type { QuestionLabel } from "../question.ts";
import { addTypos, mistype } from "./typos.ts";
import { capitalised, DRIFTED_KINDS, type Fact, fill, type Subject, type World } from "./world.ts";

/** How it is asked: as in training, or one of the ways in which questions may drift from that. */
export type Manner = "usual" | "typos" | "domain";

/** A question, and what is known exactly about it. */
export interface AskedQuestion {
  readonly text: string;
  readonly label: QuestionLabel;
  readonly fact: Fact;
  /** Passages that are easily taken for the right one: the subject's other ones, and those of another subject that is mentioned. */
  readonly rivals: readonly number[];
}

/** Other subjects that are mentioned only to say that they are not meant. */
const NOT_MEANT = [
  "Not {o}: {q}",
  "I know about {o}, but {q}",
  "Leaving {o} aside, {q}",
  "I asked about {o} before. {Q}",
  "{Q} I do not mean {o}.",
  "{Q} This is not about {o}.",
];

const POLITE = [
  "Please tell me: {q}",
  "Quick question: {q}",
  "I would like to know: {q}",
  "{Q} Thank you.",
  "Hello, {q}",
];

const NOT_MEANT_SHARE = 0.3;
const POLITE_SHARE = 0.25;
const SHORT_SHARE = 0.3;
/** Of usual questions: one word is mistyped. */
const SLIP_SHARE = 0.08;
/** Of the longer words, where typing has drifted. */
const TYPO_SHARE = 0.35;

/** The question of a seed about a world; the same seed and manner give the same question. */
export function ask(world: World, seed: number, manner: Manner = "usual"): AskedQuestion {
  const random = createRandom(seed);
  const passage = pickPassage(random, world, manner);
  const { subject, facts } = world.passages[passage] as World["passages"][number];
  const fact = random.pick(facts);
  const plain = fill(random.pick(fact.asks), { n: nameOf(random, subject) }).text;
  const rivals = passagesOf(world, subject).filter(index => index !== passage);
  let text = plain;
  if (random.chance(NOT_MEANT_SHARE)) {
    const other = otherSubject(random, world, subject);
    rivals.push(...passagesOf(world, other));
    text = frame(random.pick(NOT_MEANT), plain, other.name);
  } else if (random.chance(POLITE_SHARE)) text = frame(random.pick(POLITE), plain, "");
  return { text: typed(random, text, manner), label: { passage, answer: fact.answer }, fact, rivals };
}

function pickPassage(random: Random, { passages }: World, manner: Manner): number {
  for (;;) {
    const passage = random.integer(0, passages.length - 1);
    const isDrifted = DRIFTED_KINDS.includes(passages[passage]?.subject.kind ?? "");
    if (isDrifted === (manner === "domain")) return passage;
  }
}

function nameOf(random: Random, { name, short, isShortUnique }: Subject): string {
  return isShortUnique && short !== undefined && random.chance(SHORT_SHARE) ? short : name;
}

function passagesOf({ passages }: World, subject: Subject): number[] {
  return passages.flatMap((passage, index) => (passage.subject === subject ? [index] : []));
}

function otherSubject(random: Random, { passages }: World, subject: Subject): Subject {
  for (;;) {
    const other = random.pick(passages).subject;
    if (other.kind === subject.kind && other !== subject) return other;
  }
}

function frame(template: string, question: string, other: string): string {
  const lower = question.charAt(0).toLowerCase() + question.slice(1);
  return template.replace("{Q}", capitalised(question)).replace("{q}", lower).replace("{o}", other);
}

function typed(random: Random, text: string, manner: Manner): string {
  if (manner === "typos") return addTypos(random, text, TYPO_SHARE);
  if (!random.chance(SLIP_SHARE)) return text;
  const words = text.match(/\p{L}{4,}/gu) ?? [];
  if (words.length === 0) return text;
  const word = random.pick(words);
  return text.replace(word, mistype(random, word));
}
