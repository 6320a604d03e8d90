import { linear } from "./scale.ts";

const MINUTE_MS = 60_000;
/** Pixels around what a chart of time draws: all of them have the same, so that one time is one place. */
export const MARGIN = { left: 54, right: 14, top: 8, bottom: 20 };

/** First and last time that a chart of these points shows: all of it, a minute at least. */
export function timeSpan(atMs: readonly number[]): [number, number] {
  const last = atMs.at(-1) ?? 0;
  return [Math.min(atMs[0] ?? last, last - MINUTE_MS), last];
}

/** Where in a chart a time is, in pixels from its left edge. */
export function timeScale(atMs: readonly number[], width: number): (at: number) => number {
  const [first, last] = timeSpan(atMs);
  return linear(first, last, MARGIN.left, width - MARGIN.right);
}

export interface MinuteMark {
  readonly atMs: number;
  readonly text: string;
}

/** How long ago, in whole minutes; oldest first. */
export function minuteMarks(atMs: readonly number[], width: number): readonly MinuteMark[] {
  const [first, last] = timeSpan(atMs);
  const step = Math.max(1, Math.ceil((last - first) / MINUTE_MS / Math.max(2, width / 90)));
  const marks: MinuteMark[] = [{ atMs: last, text: "now" }];
  for (let minutes = step; last - minutes * MINUTE_MS >= first; minutes += step)
    marks.push({ atMs: last - minutes * MINUTE_MS, text: `−${minutes} min` });
  return marks.reverse();
}
