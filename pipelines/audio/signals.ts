import { logOdds } from "../../domain/log-odds.ts";
import type { ClipContext } from "./context.ts";

/** How sure the stages are of a clip, how much of it they took for words, and how often both windows of a segment agree. */
export function signals({ segments, recognised }: ClipContext): Readonly<Record<string, number>> {
  const sureness = recognised.map(({ confidence }) => confidence);
  return {
    segments: segments.length,
    words: recognised.filter(({ word }) => word !== null).length,
    disagreed: recognised.filter(({ agreed }) => !agreed).length,
    leastVoice: logOdds(Math.min(1, ...segments.map(({ score }) => score))),
    leastWord: logOdds(Math.min(1, ...sureness)),
    allWords: sureness.reduce((sum, confidence) => sum + Math.log(Math.max(1e-4, confidence)), 0),
  };
}
