import type { Span } from "./span.ts";
import type { Word } from "./vocabulary.ts";

/** Samples a second, as on a telephone line. */
export const SAMPLE_RATE = 8000;

/** Samples of a clip as voice activity takes it: 3 s. */
export const CLIP_SAMPLES = 24_000;

/** What was recorded: one channel, -1 to 1, `CLIP_SAMPLES` long. */
export type Clip = Float32Array;

/** A word that was said, and when. */
export interface LabelledWord extends Span {
  readonly word: Word;
}

/** What is known exactly about a synthesised clip: its words in the order in which they were said. */
export interface ClipLabel {
  readonly words: readonly LabelledWord[];
}
