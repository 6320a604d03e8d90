import { logOdds } from "../../domain/log-odds.ts";
import type { QuestionContext } from "./context.ts";

/** How sure the stages are of a question: of its passage, of the answer in it, and how many passages were read. */
export function signals({ candidates, answer }: QuestionContext): Readonly<Record<string, number>> {
  const [first = 0, second = 0] = candidates.map(({ probability }) => probability);
  return {
    passages: candidates.length,
    firstPassage: logOdds(first),
    secondPassage: logOdds(second),
    answer: logOdds(answer?.confidence ?? 0),
  };
}
