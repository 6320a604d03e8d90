import { createRandom, type Random } from "../../random.ts";
import type { Called, Kind } from "./kind.ts";
import { DEVICE } from "./kinds/device.ts";
import { PERSON } from "./kinds/person.ts";
import { PLANT } from "./kinds/plant.ts";
import { SHIP } from "./kinds/ship.ts";
import { TOWN } from "./kinds/town.ts";
import { countOf, makeSetting, personOf, placeOf, type Setting, yearOf } from "./setting.ts";

/** What a passage tells, and where the answer begins in its text. */
export interface Fact {
  readonly asks: readonly string[];
  readonly answer: string;
  readonly at: number;
}

export interface Subject extends Called {
  readonly kind: string;
  /** In all of the world by this alone. */
  readonly isShortUnique: boolean;
}

export interface WorldPassage {
  readonly subject: Subject;
  readonly text: string;
  readonly facts: readonly Fact[];
}

/** What can be asked about: passages of one subject lie next to each other. */
export interface World {
  readonly passages: readonly WorldPassage[];
}

/** Kinds of subjects and how many of each a world has. */
const KINDS: readonly (readonly [Kind, number])[] = [
  [PERSON, 160],
  [TOWN, 110],
  [DEVICE, 130],
];

/** Those that questions are about only where they have drifted. */
const DRIFTED: readonly (readonly [Kind, number])[] = [
  [SHIP, 60],
  [PLANT, 60],
];

export const DRIFTED_KINDS: readonly string[] = DRIFTED.map(([{ name }]) => name);

/** The world of a seed; the same seed gives the same world. Training has no use for subjects that nothing is asked about. */
export function makeWorld(seed: number, kinds: "all" | "asked in training"): World {
  const random = createRandom(seed);
  const setting = makeSetting(random);
  const passages: WorldPassage[] = [];
  for (const [kind, count] of kinds === "all" ? [...KINDS, ...DRIFTED] : KINDS)
    for (const called of callAll(random, setting, kind, count)) passages.push(...tell(random, setting, kind, called));
  return { passages };
}

/** Subjects of different names. */
function callAll(random: Random, setting: Setting, kind: Kind, count: number): Subject[] {
  const byName = new Map<string, Called>();
  while (byName.size < count) {
    const called = kind.call(random, setting);
    byName.set(called.name, called);
  }
  const all = [...byName.values()];
  return all.map(called => ({
    ...called,
    kind: kind.name,
    isShortUnique: called.short !== undefined && all.filter(({ short }) => short === called.short).length === 1,
  }));
}

function tell(random: Random, setting: Setting, kind: Kind, subject: Subject): WorldPassage[] {
  return kind.openers.map((openers, passage) => {
    let text = fill(random.pick(openers), { n: subject.name }).text;
    const facts: Fact[] = [];
    const sentences = kind.relations.filter(relation => relation.passage === passage);
    const aside = random.integer(0, sentences.length);
    for (const [index, { answer: answerOf, tells, asks }] of shuffled(random, sentences).entries()) {
      if (index === aside) text += ` ${asideOf(random, setting, kind)}`;
      const answer = answerOf(random, setting);
      const told = fill(random.pick(tells), { s: random.pick(subject.later), o: subject.object, a: answer });
      facts.push({ asks, answer, at: text.length + 1 + told.at });
      text += ` ${told.text}`;
    }
    if (aside === sentences.length) text += ` ${asideOf(random, setting, kind)}`;
    return { subject, text, facts };
  });
}

function asideOf(random: Random, setting: Setting, { asides }: Kind): string {
  return random
    .pick(asides)
    .replace("{person}", personOf(random, setting))
    .replace("{place}", placeOf(random, setting))
    .replace("{year}", yearOf(random))
    .replace("{count}", countOf(random, 14, 900));
}

/** A template with its slots filled (a capital letter begins the sentence), and where `{a}` came to stand. */
export function fill(
  template: string,
  values: Readonly<Record<string, string>>,
): { readonly text: string; readonly at: number } {
  let text = "";
  let at = -1;
  for (const piece of template.split(/(\{\w\})/)) {
    const slot = /^\{(\w)\}$/.exec(piece)?.[1];
    if (slot === "a") at = text.length;
    const value = slot === undefined ? piece : (values[slot.toLowerCase()] ?? "");
    text += slot !== undefined && slot !== slot.toLowerCase() ? capitalised(value) : value;
  }
  return { text, at };
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
  }
  return mixed;
}
