/** Longest name and longest text that is passed on. */
export const MOST_NAME = 80;
export const MOST_TEXT = 500;

/**
 * A text that others wrote, as data: one line without control and formatting characters, cut off where it is too long. It only ever stands as a
 * string value in JSON.
 */
export function bounded(text: string, most: number): string {
  const line = text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** What an endpoint says may repeat the key that it was sent: nothing passes it on. Null: it was sent none. */
export function withoutKey(text: string, key: string | null): string {
  return key ? text.replaceAll(key, "***") : text;
}

/** Of a value that a model or a server sent: every text bounded, and no deeper or longer than a proposal can be. */
export function boundedValue(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return bounded(value, MOST_TEXT);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object" || value === null) return typeof value === "boolean" ? value : null;
  if (depth >= MOST_DEPTH) return "…";
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map(item => boundedValue(item, depth + 1));
  const entries = Object.entries(value).slice(0, MOST_ITEMS);
  return Object.fromEntries(entries.map(([key, item]) => [bounded(key, MOST_NAME), boundedValue(item, depth + 1)]));
}

const MOST_DEPTH = 6;
const MOST_ITEMS = 64;
