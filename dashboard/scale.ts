const MOST_TICKS = 4;

/** Round numbers between two ends: 1, 2 or 5 times a power of ten apart. */
export function ticks(from: number, to: number, most = MOST_TICKS): readonly number[] {
  const least = (to - from) / most;
  if (!(least > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find(times => times * power >= least) ?? 10);
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(to / step + 1e-9) - first + 1) }, (_, i) => (first + i) * step);
}

/** Where a value of a range lies between two pixels. */
export function linear(from: number, to: number, fromPx: number, toPx: number): (value: number) => number {
  const span = to - from || 1;
  return value => fromPx + ((value - from) / span) * (toPx - fromPx);
}

export function px(value: number): string {
  return value.toFixed(1);
}
