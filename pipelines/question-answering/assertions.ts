import { fits, typeAsked } from "./answer-type.ts";
import type { QuestionContext } from "./context.ts";
import { PASSAGES } from "./passages.ts";
import { type Word, wordsOf } from "./stages/words.ts";

/** No answer has more words, and none more characters. */
const MOST_WORDS = 5;
const MOST_CHARACTERS = 40;

/** What must hold of a right answer. None of them needs labels; all but the first say nothing of a question without an answer. */
export const assertions = {
  someAnswer: ({ answer }: QuestionContext): boolean => answer !== null,
  answerInPassage: ({ answer, candidates }: QuestionContext): boolean =>
    answer === null ||
    (candidates.some(({ passage }) => passage === answer.passage) &&
      (PASSAGES[answer.passage]?.text.includes(answer.text) ?? false)),
  shortAnswer: ({ answer }: QuestionContext): boolean =>
    answer === null || (answer.text.length <= MOST_CHARACTERS && wordsOf(answer.text).length <= MOST_WORDS),
  fitsQuestionWord: ({ question, answer }: QuestionContext): boolean =>
    answer === null || fits(answer.text, typeAsked(question)),
  sharesName: ({ words, answer }: QuestionContext): boolean => answer === null || sharesName(words, answer.passage),
  saysSomethingNew: ({ words, answer }: QuestionContext): boolean => {
    const asked = new Set(words.map(({ text }) => text));
    return answer === null || wordsOf(answer.text).some(({ text }) => !asked.has(text));
  },
} as const;

/** Of the names that are asked about, one stands in the passage. The first word has its capital letter as such. */
function sharesName(question: readonly Word[], passage: number): boolean {
  const names = question.slice(1).filter(({ text }) => /^\p{Lu}\p{Ll}{2}/u.test(text));
  const there = new Set(PASSAGES[passage]?.words.map(({ text }) => text));
  return names.length === 0 || names.some(({ text }) => there.has(text));
}
