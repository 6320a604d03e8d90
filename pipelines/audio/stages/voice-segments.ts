import type { Span } from "../span.ts";

/** Seconds between two values of the detectors' curve, and how many there are for a clip. */
export const VOICE_STEP = 0.02;
export const VOICE_STEPS = 150;

/** Voice begins where the curve rises to the first, and ends where it falls below the second. */
const BEGIN = 0.5;
const END = 0.35;

/** Shorter gaps are within a word: what is said before a plosive is silence. In seconds. */
const WITHIN_WORD = 0.07;

/** Shorter stretches are clicks. In seconds. */
const SHORTEST = 0.1;

/** A command has three words; more than this is noise, and every stretch costs rows of keyword. */
const MAX_SEGMENTS = 8;

/** A stretch with voice, and how sure the detector is of it. */
export interface VoiceSegment extends Span {
  /** Mean of the curve over the stretch, 0 to 1. */
  readonly score: number;
}

/** The stretches of a curve (probability of voice, `VOICE_STEPS` values), from first to last; of too many the longest. */
export function findSegments(curve: Float32Array): readonly VoiceSegment[] {
  const joined: [first: number, after: number][] = [];
  for (const [first, after] of stretchesOf(curve)) {
    const last = joined.at(-1);
    if (last && (first - last[1]) * VOICE_STEP < WITHIN_WORD) last[1] = after;
    else joined.push([first, after]);
  }
  return joined
    .filter(([first, after]) => (after - first) * VOICE_STEP >= SHORTEST)
    .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
    .slice(0, MAX_SEGMENTS)
    .sort((a, b) => a[0] - b[0])
    .map(([first, after]) => ({
      start: first * VOICE_STEP,
      end: after * VOICE_STEP,
      score: mean(curve, first, after),
    }));
}

/** Where the curve is up: index of the first value of each stretch, and of the one after its last. */
function stretchesOf(curve: Float32Array): [number, number][] {
  const stretches: [number, number][] = [];
  let first = -1;
  for (let at = 0; at <= curve.length; at++) {
    // What is not a number is below both.
    const value = curve[at] ?? 0;
    if (first < 0 && value >= BEGIN) first = at;
    else if (first >= 0 && !(value >= END)) {
      stretches.push([first, at]);
      first = -1;
    }
  }
  return stretches;
}

function mean(curve: Float32Array, first: number, after: number): number {
  const sum = curve.subarray(first, after).reduce((total, value) => total + (Number.isFinite(value) ? value : 0), 0);
  return Math.min(1, sum / (after - first));
}
