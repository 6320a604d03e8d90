import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { Answer, Candidate, QuestionContext } from "../context.ts";
import { PASSAGES } from "../passages.ts";
import { bestSpan, probabilityAt } from "./best-span.ts";
import { PASSAGE_SLOT, PASSAGE_WORDS, READING_SLOTS, readingRow } from "./token-rows.ts";

/** Looks for the answer in the passages: one row per candidate. */
export const reading: StageCode<QuestionContext> = {
  rows({ words, candidates }) {
    return candidates.map(({ passage }) => ({ text: readingRow(words, PASSAGES[passage]?.words ?? []) }));
  },
  collect(context, outputs) {
    const { candidates } = context;
    if (outputs.length !== candidates.length) {
      throw new VariscaleError(
        "internal",
        `reading gave ${outputs.length} rows for ${candidates.length} passages: check the gateway`,
      );
    }
    context.answer = surest(candidates.flatMap((candidate, index) => answerIn(candidate, outputs[index] ?? {}) ?? []));
  },
};

/** The surest answer that a passage holds; null where the reader finds it likelier that there is none. */
function answerIn({ passage, probability }: Candidate, output: Row): Answer | null {
  const starts = output["starts"]?.data;
  const ends = output["ends"]?.data;
  const isRight =
    starts instanceof Float32Array &&
    starts.length === READING_SLOTS &&
    ends instanceof Float32Array &&
    ends.length === READING_SLOTS;
  if (!isRight) {
    throw new VariscaleError(
      "internal",
      `reading must give \`starts\` and \`ends\` of ${READING_SLOTS} slots FP32: check the stage's contract`,
    );
  }
  const { text, words } = PASSAGES[passage] ?? { text: "", words: [] };
  const span = bestSpan(starts, ends, PASSAGE_SLOT, Math.min(PASSAGE_WORDS, words.length));
  const none = probabilityAt(starts, 0) * probabilityAt(ends, 0);
  if (span === null || !(span.probability > none)) return null;
  const answer = text.slice(words[span.first]?.start, words[span.last]?.end);
  return { text: answer, passage, confidence: span.probability * Math.sqrt(probability) };
}

/** The first of those that are equally sure. */
function surest(answers: readonly Answer[]): Answer | null {
  return answers.reduce<Answer | null>(
    (best, answer) => (best === null || answer.confidence > best.confidence ? answer : best),
    null,
  );
}
