import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Evaluation, LabelledItem, Score } from "../../gateway/stage.ts";
import type { QuestionContext } from "./context.ts";
import { PIPELINE_FOLDER } from "./folder.ts";
import { ask, type Manner } from "./generator/ask.ts";
import { makeWorld, type World } from "./generator/world.ts";
import type { QuestionLabel } from "./question.ts";
import { wordsOf } from "./stages/words.ts";

/** A question that is committed with the pipeline. */
interface StoredQuestion {
  readonly text: string;
  readonly label: QuestionLabel;
}

/** The world that the passages of the data folder are of. */
export const WORLD_SEED = 1;
/** Drifted questions have seeds from here on, so that no two sets have one in common. */
const DRIFT_SEEDS = 1_000_000;

/** Accuracy on generated questions: first those in the data folder, then the generator's by their seed. */
export const evaluation: Evaluation<QuestionContext, QuestionLabel> = {
  async *items(count) {
    const stored = JSON.parse(
      await readFile(join(PIPELINE_FOLDER, "data/questions.json"), "utf8"),
    ) as readonly StoredQuestion[];
    for (const [index, { text, label }] of stored.slice(0, count).entries())
      yield itemOf(`stored-${index + 1}`, text, label);
    if (count > stored.length) yield* generated(stored.length + 1, count, "usual");
  },
  drifts: {
    typos: count => generated(DRIFT_SEEDS, DRIFT_SEEDS + count - 1, "typos"),
    domain: count => generated(DRIFT_SEEDS, DRIFT_SEEDS + count - 1, "domain"),
  },
  confidences: ["firstPassage", "answer"],
  score,
  ideal(context, { passage }, stage) {
    if (stage === "reading") context.candidates = [{ passage, probability: 1 }];
  },
  stageCorrect(context, label, stage) {
    const isFound = context.candidates.some(({ passage }) => passage === label.passage);
    // Where the passage is not among those that reading got, there is nothing to find.
    return stage === "retrieval" ? isFound : isSame(context.answer?.text ?? null, isFound ? label.answer : null);
  },
};

/** Of the seeds from `first` to `last`. */
async function* generated(first: number, last: number, manner: Manner): AsyncIterable<LabelledItem<QuestionLabel>> {
  const world: World = makeWorld(WORLD_SEED, "all");
  for (let seed = first; seed <= last; seed++) {
    const { text, label } = ask(world, seed, manner);
    yield itemOf(`${manner}-${seed}`, text, label);
  }
}

function itemOf(id: string, text: string, label: QuestionLabel): LabelledItem<QuestionLabel> {
  return { id, body: Buffer.from(text), contentType: "text/plain; charset=utf-8", label };
}

/** An answer is right when it says exactly what the label says. Parts right of parts is the F1 of its words. */
function score(response: unknown, { answer: wanted }: QuestionLabel): Score {
  const answer = (response as { answer?: unknown } | null)?.answer;
  const given = typeof answer === "string" ? answer : null;
  const left = given === null ? [] : lowerWords(given);
  const right = lowerWords(wanted);
  const parts = left.length + right.length;
  let common = 0;
  for (const word of right) {
    const index = left.indexOf(word);
    if (index < 0) continue;
    left.splice(index, 1);
    common++;
  }
  return { correct: isSame(given, wanted), partsCorrect: 2 * common, parts };
}

/** Whatever the case of the letters and the spaces between. */
function isSame(answer: string | null, wanted: string | null): boolean {
  if (answer === null || wanted === null) return answer === wanted;
  return lowerWords(answer).join(" ") === lowerWords(wanted).join(" ");
}

function lowerWords(text: string): string[] {
  return wordsOf(text).map(word => word.text.toLowerCase());
}
