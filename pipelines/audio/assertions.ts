import { type Clip, SAMPLE_RATE } from "./clip.ts";
import { type ClipContext, wordsOf } from "./context.ts";
import type { Span } from "./span.ts";
import { isCommand, type Word } from "./vocabulary.ts";

/** How long a word takes when it is said at the usual pace, in seconds. */
const USUAL_LENGTH: Readonly<Record<Word, number>> = {
  light: 0.41,
  lamp: 0.43,
  door: 0.31,
  blind: 0.49,
  heat: 0.34,
  fan: 0.36,
  on: 0.27,
  off: 0.28,
  up: 0.24,
  down: 0.37,
  open: 0.44,
  close: 0.47,
  start: 0.58,
  stop: 0.52,
  one: 0.27,
  two: 0.3,
  three: 0.34,
  four: 0.32,
  five: 0.39,
  six: 0.46,
};

/** Voiced time over what the words that were heard usually take, at the least and at the most. */
const PACE = [0.55, 1.8] as const;
/** Loudness of a word over that of the quietest tenth of a clip: less is a word in silence. */
const LOUDER = 1.1;
/** Seconds over which loudness is taken. */
const STEP = 0.02;
/** What is voice this surely is hardly ever recognised with less certainty. */
const SURE_VOICE = 0.8;
const UNSURE_WORD = 0.4;

/** What must hold of a right answer. None of them needs labels. */
export const assertions = {
  someWord: (context: ClipContext): boolean => wordsOf(context).length > 0,
  /** The words are a command. */
  command: (context: ClipContext): boolean => isCommand(wordsOf(context).map(({ word }) => word)),
  /** The two windows of each segment say the same. */
  windowsAgree: ({ recognised }: ClipContext): boolean => recognised.every(({ agreed }) => agreed),
  /** Time with voice is what the words take. */
  voicedTime: (context: ClipContext): boolean => {
    const voiced = context.segments.reduce((sum, { start, end }) => sum + end - start, 0);
    const usual = wordsOf(context).reduce((sum, { word }) => sum + USUAL_LENGTH[word], 0);
    return voiced >= PACE[0] * usual && voiced <= PACE[1] * usual;
  },
  /** No word is where nothing is heard. */
  audibleWords: (context: ClipContext): boolean => {
    const quiet = quietLevel(context.clip);
    return wordsOf(context).every(word => levelOf(context.clip, word) > LOUDER * quiet);
  },
  sureWords: ({ segments, recognised }: ClipContext): boolean =>
    recognised.every(
      ({ confidence }, index) => confidence >= UNSURE_WORD || (segments[index]?.score ?? 0) < SURE_VOICE,
    ),
} as const;

/** Root mean square of a stretch. */
function levelOf(clip: Clip, { start, end }: Span): number {
  const first = Math.round(start * SAMPLE_RATE);
  const after = Math.min(clip.length, Math.round(end * SAMPLE_RATE));
  let sum = 0;
  for (let at = first; at < after; at++) sum += (clip[at] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, after - first));
}

/** Root mean square that a tenth of a clip's steps is below. */
function quietLevel(clip: Clip): number {
  const count = Math.floor(clip.length / SAMPLE_RATE / STEP);
  const levels = Array.from({ length: count }, (_, at) => levelOf(clip, { start: at * STEP, end: (at + 1) * STEP }));
  return levels.sort((a, b) => a - b)[Math.floor(count / 10)] ?? 0;
}
