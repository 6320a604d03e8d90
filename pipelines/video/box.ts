/** An upright rectangle in frame pixels: left, top, right, bottom. */
export type Box = readonly [number, number, number, number];

/** The part that two boxes have in common of what they cover together (intersection over union), 0 to 1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (!(width > 0 && height > 0)) return 0;
  const common = width * height;
  return common / (areaOf(a) + areaOf(b) - common);
}

function areaOf([left, top, right, bottom]: Box): number {
  return (right - left) * (bottom - top);
}

/** As answers have it. */
export function inWholePixels([left, top, right, bottom]: Box): Box {
  return [Math.round(left), Math.round(top), Math.round(right), Math.round(bottom)];
}

/** From here on two boxes are of the same object, as PASCAL VOC has it. */
const SAME = 0.5;

/**
 * For each wanted box the index of the found box that is taken for it, or -1. Pairs with the largest overlap are taken first, and
 * no box is taken twice.
 *
 * @param least overlap of a pair.
 */
export function matchBoxes(wanted: readonly Box[], found: readonly Box[], least = SAME): readonly number[] {
  const pairs = wanted.flatMap((box, w) => found.map((other, f) => ({ w, f, share: overlap(box, other) })));
  const matches = wanted.map(() => -1);
  const taken = new Set<number>();
  for (const { w, f } of pairs.filter(({ share }) => share >= least).sort((a, b) => b.share - a.share)) {
    if (matches[w] !== -1 || taken.has(f)) continue;
    matches[w] = f;
    taken.add(f);
  }
  return matches;
}
