/** With four digits at most, without a trailing zero. */
export function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A share as `93.1 %`; a dash where there is none. */
export function percent(value: number): string {
  return Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`;
}

export function signed(value: number): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value))}`;
}

/** A difference of shares, as `+1.5 points`. */
export function points(share: number): string {
  return `${signed(100 * share)} points`;
}

/** Rows for each request, or for each row of the upstream stage: as planned for, and as seen where that is another number. */
export function fanOutText(fanOut: { readonly seen: number | null; readonly planned: number } | null): string {
  if (fanOut === null) return "–";
  const [planned, seen] = [number(fanOut.planned), fanOut.seen === null ? null : number(fanOut.seen)];
  return seen === null || seen === planned ? planned : `${planned} (${seen} seen)`;
}
