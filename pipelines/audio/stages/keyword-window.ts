import { type Clip, SAMPLE_RATE } from "../clip.ts";
import type { Span } from "../span.ts";

/** Samples of a window as the recognisers take it: 0.8 s. */
export const WINDOW_SAMPLES = 6400;

/**
 * What is heard before and after a segment, in seconds: two windows for each, the second one closer. Where a detector is off by a little,
 * they differ.
 */
export const MARGINS = [0.08, 0.02] as const;

/**
 * Cuts a segment and a margin around it out of a clip, into the middle of a window; the rest of the window is silent, so that the words
 * before and after are not heard. Longer ones lose both ends.
 */
export function cutWindow(clip: Clip, { start, end }: Span, margin: number): Float32Array {
  const window = new Float32Array(WINDOW_SAMPLES);
  const first = Math.max(0, Math.round((start - margin) * SAMPLE_RATE));
  const after = Math.min(clip.length, Math.round((end + margin) * SAMPLE_RATE));
  const left = Math.round((first + after - WINDOW_SAMPLES) / 2);
  const from = Math.max(first, left);
  const to = Math.min(after, left + WINDOW_SAMPLES);
  if (to > from) window.set(clip.subarray(from, to), from - left);
  return window;
}
