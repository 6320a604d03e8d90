import type { Random } from "../../random.ts";
import type { Setting } from "./setting.ts";

/** Something that a passage tells about a subject and that can be asked. */
export interface Relation {
  /** Which of the subject's passages tells it. */
  readonly passage: number;
  readonly answer: (random: Random, setting: Setting) => string;
  /** Sentences: `{s}` stands for the subject within its passage (`{S}` where a sentence begins, `{o}` as an object), `{a}` for the answer. */
  readonly tells: readonly string[];
  /** Questions: `{n}` stands for the subject's name. */
  readonly asks: readonly string[];
}

/** How a subject is called: in full, later within its passages, as an object there, and in short by whoever asks. */
export interface Called {
  readonly name: string;
  readonly later: readonly string[];
  readonly object: string;
  readonly short?: string;
}

/** A kind of subject: what its passages begin with, what they tell and what else they say. */
export interface Kind {
  readonly name: string;
  readonly call: (random: Random, setting: Setting) => Called;
  /** First sentences of each passage: `{n}` stands for the name, `{N}` where a sentence begins. */
  readonly openers: readonly (readonly string[])[];
  readonly relations: readonly Relation[];
  /** Sentences that answer nothing that is asked, with names and figures in them: `{person}`, `{place}`, `{year}`, `{count}`. */
  readonly asides: readonly string[];
}
