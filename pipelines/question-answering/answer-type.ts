/** What an answer has to be by the word that asks for it. */
export type AnswerType = "name" | "time" | "place" | "quantity" | "any";

const MONTH = /\b(January|February|March|April|May|June|July|August|September|October|November|December)\b/;

/** The first pattern that is found in a question decides. */
const ASKING: readonly (readonly [RegExp, AnswerType])[] = [
  [/\bhow (many|much|heavy|long|tall|high|large)\b/i, "quantity"],
  [/\b(who|whom)\b/i, "name"],
  [/\bwhen\b|\b(what|which) (date|month|year)\b/i, "time"],
  [/\bwhere\b/i, "place"],
];

const FITS: Readonly<Record<AnswerType, (answer: string) => boolean>> = {
  name: answer => /^\p{Lu}\p{L}+ \p{Lu}\p{L}+$/u.test(answer),
  place: answer => /^\p{Lu}\p{L}+$/u.test(answer) && !MONTH.test(answer),
  time: answer => /\b\d{4}\b/.test(answer) || MONTH.test(answer),
  quantity: answer => /\d/.test(answer),
  any: () => true,
};

/** A mistyped word asks for nothing in particular. */
export function typeAsked(question: string): AnswerType {
  return ASKING.find(([pattern]) => pattern.test(question))?.[1] ?? "any";
}

export function fits(answer: string, type: AnswerType): boolean {
  return FITS[type](answer);
}
