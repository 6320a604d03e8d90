/** A stretch of a clip: seconds from its beginning. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** From here on two stretches are of the same word. */
const SAME = 0.5;

/** The part that two stretches have in common of what they cover together (intersection over union), 0 to 1. */
export function overlap(a: Span, b: Span): number {
  const common = Math.min(a.end, b.end) - Math.max(a.start, b.start);
  return common > 0 ? common / (Math.max(a.end, b.end) - Math.min(a.start, b.start)) : 0;
}

/**
 * For each wanted stretch the index of the found one that is taken for it, or -1. Stretches of one list do not overlap each other, so
 * no two pairs share more than half of what they cover.
 */
export function matchSpans(wanted: readonly Span[], found: readonly Span[]): readonly number[] {
  return wanted.map(span => found.findIndex(other => overlap(span, other) > SAME));
}
