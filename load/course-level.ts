/** Equally long `levels` over one course, with straight lines between their middles; `position` is 0 at its start and 1 at its end. */
export function courseLevel(levels: readonly number[], position: number): number {
  const place = position * levels.length - 0.5;
  const before = Math.max(0, Math.min(levels.length - 1, Math.floor(place)));
  const after = Math.min(levels.length - 1, before + 1);
  const weight = Math.max(0, Math.min(1, place - before));
  return (levels[before] ?? 0) * (1 - weight) + (levels[after] ?? 0) * weight;
}
