import { definePipeline } from "../../gateway/stage.ts";
import { assertions } from "./assertions.ts";
import type { QuestionContext } from "./context.ts";
import { decodeQuestion } from "./decode.ts";
import { evaluation } from "./evaluation.ts";
import { PASSAGES } from "./passages.ts";
import type { QuestionLabel } from "./question.ts";
import { signals } from "./signals.ts";
import { reading } from "./stages/reading.ts";
import { retrieval } from "./stages/retrieval.ts";
import { wordsOf } from "./stages/words.ts";

/** How `variscale models prepare` makes this pipeline's model files. */
export { recipes as modelRecipes } from "./models.ts";

/** Answers questions from its passages: retrieval of those that may hold the answer, reading of each. */
export default definePipeline<QuestionContext, QuestionLabel>({
  decode(body, contentType) {
    const question = decodeQuestion(body, contentType);
    return { question, words: wordsOf(question), candidates: [], answer: null };
  },
  stages: { retrieval, reading },
  respond({ candidates, answer }) {
    const rounded = (value: number): number => Math.round(value * 1000) / 1000;
    return {
      answer: answer?.text ?? null,
      confidence: rounded(answer?.confidence ?? 0),
      passage: answer === null ? null : { index: answer.passage, text: PASSAGES[answer.passage]?.text },
      candidates: candidates.map(({ passage, probability }) => ({ passage, probability: rounded(probability) })),
    };
  },
  assertions,
  signals,
  evaluation,
});
