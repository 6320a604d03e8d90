import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { Candidate, QuestionContext } from "../context.ts";
import { PASSAGES } from "../passages.ts";
import { probabilityAt } from "./best-span.ts";
import { QUESTION_WORDS, textRow } from "./token-rows.ts";

/** Passages that retrieval names for a question. */
const NAMED = 3;

/** Passages that are less likely than this go on to reading only when there is none before them. */
const LEAST_PROBABILITY = 0.1;

/** Finds the passages that may hold the answer: one row per question. */
export const retrieval: StageCode<QuestionContext> = {
  rows({ words }) {
    return [{ question: textRow(words, QUESTION_WORDS, "question") }];
  },
  collect(context, outputs) {
    context.candidates = candidatesOf(outputs).filter(
      ({ probability }, index) => index === 0 || probability >= LEAST_PROBABILITY,
    );
  },
};

function candidatesOf(outputs: readonly Row[]): Candidate[] {
  const passages = outputs[0]?.["passages"]?.data;
  const probabilities = outputs[0]?.["probabilities"]?.data;
  const isRight =
    passages instanceof Int32Array &&
    passages.length === NAMED &&
    passages.every(passage => passage in PASSAGES) &&
    probabilities instanceof Float32Array &&
    probabilities.length === NAMED;
  if (!isRight) {
    throw new VariscaleError(
      "internal",
      `retrieval must give \`passages\` (${NAMED} INT32 below ${PASSAGES.length}) and \`probabilities\` (${NAMED} FP32): check the stage's contract`,
    );
  }
  return Array.from(passages, (passage, index) => ({ passage, probability: probabilityAt(probabilities, index) }));
}
