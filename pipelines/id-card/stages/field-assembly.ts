import { CAPTIONS, FIELDS, type Field } from "../card.ts";
import type { ReadLine } from "../context.ts";
import { type Bounds, boundsOf } from "../quad.ts";
import { editDistance } from "./edit-distance.ts";
import { asDate, asName, asNumber } from "./field-text.ts";

/** The text of each field; null where none was found. */
export type ReadFields = Readonly<Record<Field, string | null>>;

/** A caption may have this part of its letters misread. */
const MAX_CAPTION_ERROR = 0.4;

/** A value stands at most this many heights of its own below its caption, and starts as far left. */
const MAX_DISTANCE = 2.5;

interface Placed {
  readonly text: string;
  readonly bounds: Bounds;
}

interface Caption extends Placed {
  readonly field: Field;
}

/**
 * Tells which line is which field: the nearest caption above says what a line is, its form (date, number, name) has to
 * agree, and what has no caption is given by form, years and order.
 */
export function assembleFields(lines: readonly ReadLine[]): ReadFields {
  const captions: Caption[] = [];
  const values: Placed[] = [];
  for (const line of lines) {
    const placed = { text: line.text, bounds: boundsOf(line.quad) };
    const field = captionOf(line.text);
    if (field) captions.push({ ...placed, field });
    else values.push(placed);
  }
  const found: Record<Field, string | null> = { surname: null, given: null, birth: null, number: null, expiry: null };
  const loose: Placed[] = [];
  for (const value of values) {
    const field = nearestCaption(value, captions)?.field;
    const text = field && asField(field, value.text);
    if (field && text !== undefined && found[field] === null) found[field] = text;
    else loose.push(value);
  }
  giveByForm(found, loose, Math.min(...lines.map(({ quad }) => boundsOf(quad).top)));
  return found;
}

/** Which field's caption this line is, if any. */
function captionOf(text: string): Field | undefined {
  let best: Field | undefined;
  let least = MAX_CAPTION_ERROR;
  for (const field of FIELDS) {
    for (const caption of CAPTIONS[field]) {
      const error = editDistance(text, caption) / Math.max(caption.length, text.length);
      if (error < least) [best, least] = [field, error];
    }
  }
  return best;
}

function nearestCaption(value: Placed, captions: readonly Caption[]): Caption | undefined {
  const height = value.bounds.bottom - value.bounds.top;
  let best: Caption | undefined;
  let least = MAX_DISTANCE;
  for (const caption of captions) {
    const below = (value.bounds.top + value.bounds.bottom - caption.bounds.top - caption.bounds.bottom) / 2 / height;
    const aside = Math.abs(value.bounds.left - caption.bounds.left) / height;
    if (below > 0 && aside < MAX_DISTANCE && below + aside / 2 < least) [best, least] = [caption, below + aside / 2];
  }
  return best;
}

function asField(field: Field, text: string): string | undefined {
  if (field === "number") return asNumber(text);
  return field === "birth" || field === "expiry" ? asDate(text) : asName(text);
}

/** Fills what captions left open: numbers by their form, dates by their years, names by their order under the heading, the topmost line. */
function giveByForm(found: Record<Field, string | null>, loose: readonly Placed[], headingTop: number): void {
  const formed = (form: (text: string) => string | undefined): string[] =>
    loose.flatMap(value => form(value.text) ?? []);
  found.number ??= formed(asNumber)[0] ?? null;
  const dates = formed(asDate).sort((a, b) => Number(a.slice(-4)) - Number(b.slice(-4)));
  if (found.birth === null && (found.expiry !== null || dates.length > 1)) found.birth = dates.shift() ?? null;
  found.expiry ??= dates.at(-1) ?? null;
  const names = loose
    .filter(({ text, bounds }) => bounds.top > headingTop && asNumber(text) === undefined && asDate(text) === undefined)
    .sort((a, b) => a.bounds.top - b.bounds.top)
    .flatMap(({ text }) => asName(text) ?? []);
  found.surname ??= names.shift() ?? null;
  found.given ??= names.shift() ?? null;
}
