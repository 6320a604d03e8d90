import type { Quad } from "../quad.ts";
import type { TextRegion } from "./text-map.ts";

/** Words of one line are not further apart than this part of the height of their regions. */
const MAX_GAP = 0.8;

/** Words of one line overlap at least by this part of their height, and are about as high. */
const MIN_OVERLAP = 0.6;

/** Joins regions that are words of one line, as coarse detectors split them. */
export function joinRegions(regions: readonly TextRegion[]): TextRegion[] {
  const joined: TextRegion[] = [];
  for (const region of [...regions].sort((a, b) => a.quad[0] - b.quad[0])) {
    const at = joined.findIndex(left => sameLine(left.quad, region.quad));
    const left = joined[at];
    if (left) joined[at] = join(left, region);
    else joined.push(region);
  }
  return joined;
}

function sameLine(left: Quad, right: Quad): boolean {
  const leftHeight = left[5] - left[3];
  const rightHeight = right[7] - right[1];
  const gap = right[0] - left[2];
  const overlap = Math.min(left[5], right[7]) - Math.max(left[3], right[1]);
  return (
    gap < MAX_GAP * Math.min(leftHeight, rightHeight) &&
    gap > -Math.max(leftHeight, rightHeight) &&
    overlap > MIN_OVERLAP * Math.max(leftHeight, rightHeight)
  );
}

function join(left: TextRegion, right: TextRegion): TextRegion {
  const [a, b] = [left.quad, right.quad];
  return { quad: [a[0], a[1], b[2], b[3], b[4], b[5], a[6], a[7]], score: Math.min(left.score, right.score) };
}
