import type { Clip } from "./clip.ts";
import type { Span } from "./span.ts";
import type { VoiceSegment } from "./stages/voice-segments.ts";
import type { Word } from "./vocabulary.ts";

/** What a stretch of voice was taken for. */
export interface Recognition {
  /** Null: no word. */
  readonly word: Word | null;
  /** Probability of the word, or of there being none, 0 to 1: mean of the two windows. */
  readonly confidence: number;
  /** Whether both windows, each by itself, say the same. */
  readonly agreed: boolean;
}

/** What is known of one request so far: each stage adds its part. */
export interface ClipContext {
  readonly clip: Clip;
  /** Set by voice activity. */
  segments: readonly VoiceSegment[];
  /** Set by keyword: one per segment, in their order. */
  recognised: readonly Recognition[];
}

/** A word that was recognised, and when it was said. */
export interface HeardWord extends Span {
  readonly word: Word;
  readonly confidence: number;
}

/** The words of a request in their order: segments that were taken for one. */
export function wordsOf({ segments, recognised }: ClipContext): readonly HeardWord[] {
  return segments.flatMap(({ start, end }, index) => {
    const { word = null, confidence = 0 } = recognised[index] ?? {};
    return word === null ? [] : [{ word, confidence, start, end }];
  });
}
