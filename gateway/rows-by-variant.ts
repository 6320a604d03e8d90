import type { VariantShare } from "../domain/plan.ts";

/** Rows of one stage in one request by the variant that served them; `a&b`: these variants voted on them. */
export type RowsByVariant = ReadonlyMap<string, number>;

/** More characters are no list of rungs: a replica has five at most. */
const MOST_CHARACTERS = 2000;

/** Adds up what several replicas served. */
export function sumRows(parts: Iterable<RowsByVariant>): RowsByVariant {
  const sums = new Map<string, number>();
  for (const part of parts) for (const [variant, rows] of part) sums.set(variant, (sums.get(variant) ?? 0) + rows);
  return sums;
}

export function countRows(rows: RowsByVariant): number {
  let count = 0;
  for (const some of rows.values()) count += some;
  return count;
}

/** The variant of most rows first. */
export function findShares(rows: RowsByVariant): readonly VariantShare[] {
  const all = countRows(rows);
  return [...rows]
    .sort(([a, rowsA], [b, rowsB]) => rowsB - rowsA || (a < b ? -1 : 1))
    .map(([variant, some]) => ({ variant, share: some / all }));
}

/** `a`, or `a:0.75+b:0.25` where several variants served the rows. */
export function formatShares(rows: RowsByVariant): string {
  const [first, ...others] = findShares(rows);
  if (!first || others.length === 0) return first?.variant ?? "";
  return [first, ...others].map(({ variant, share }) => `${variant}:${Number(share.toPrecision(3))}`).join("+");
}

/**
 * Reads what an answer says of the variants that served its rows, as `large=6,small=2`. It is a hint, and answers are good without it: null
 * for whatever does not name variants of the stage, each once, whose rows add up to `rows`.
 */
export function readRungs(text: unknown, rows: number, variants: readonly string[]): RowsByVariant | null {
  if (typeof text !== "string" || text.length > MOST_CHARACTERS) return null;
  const read = new Map<string, number>();
  for (const pair of text.split(",")) {
    const [, variant = "", count] = /^([^=]+)=([1-9][0-9]{0,6})$/.exec(pair) ?? [];
    if (read.has(variant) || !variants.includes(variant)) return null;
    read.set(variant, Number(count));
  }
  return countRows(read) === rows ? read : null;
}
