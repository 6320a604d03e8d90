/** What is not a number counts as not given. */
export function numberOr<T>(value: number | null | undefined, other: T): number | T {
  return value === null || value === undefined || Number.isNaN(value) ? other : value;
}

/** A limit that is not infinite; null: none. */
export function limitOf(limit: number | null): number | null {
  const given = numberOr(limit, Number.POSITIVE_INFINITY);
  return given === Number.POSITIVE_INFINITY ? null : Math.max(0, given);
}
