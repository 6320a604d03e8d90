/** Inputs of any size that one reader may get, by what they are. */
export type Kinds<T> = Readonly<Record<string, (size: number) => T>>;

/** Makes one test of a reader for all kinds of its input. */
export type TestReader = <T>(what: string, kinds: Kinds<T>, read: (input: T) => unknown, size?: number) => void;

export const fill = (unit: string, bytes: number): string => unit.repeat(Math.ceil(bytes / unit.length));
export const list = (unit: string, bytes: number): string => `[${fill(`${unit},`, bytes)}${unit}]`;
/** Numbered, so that no two are the same. */
export const lines = (line: (i: number) => string, bytes: number): string =>
  Array.from({ length: Math.ceil(bytes / line(0).length) }, (_, i) => line(i)).join("");

/** JSON of every shape, which is no more than part of what anybody asks for. */
export const JSON_TEXTS: Kinds<string> = {
  "numbers in a list": bytes => list("0", bytes),
  "lists in a list": bytes => list("[]", bytes),
  "objects in a list": bytes => list("{}", bytes),
  "lists in each other": bytes => `${fill("[", bytes / 2)}${fill("]", bytes / 2)}`,
  "objects in each other": bytes => `${fill('{"a":', bytes / 6)}0${fill("}", bytes / 6)}`,
  "members of one object": bytes => `{${lines(i => `"name-${i}":0,`, bytes)}"z":0}`,
  "the same member": bytes => `{${fill('"stage":0,', bytes)}"stage":0}`,
  "one text": bytes => JSON.stringify(fill('\\"', bytes)),
  "a text that does not end": bytes => `{"stage":"${fill('\\"', bytes)}`,
};
export const CSV_TEXTS: Kinds<string> = {
  rates: bytes => fill("1\n", bytes),
  "rates in one line": bytes => fill("1 ", bytes),
  columns: bytes => fill("1,", bytes),
  "quoted cells": bytes => fill('"1",', bytes),
  "a quote that does not end": bytes => `"${fill("a,", bytes)}`,
  blanks: bytes => `1${fill(" ", bytes)}x`,
  digits: bytes => fill("1", bytes),
  dots: bytes => fill("1.", bytes),
  "a heading": bytes => `${fill("time ", bytes)}\n1`,
  comments: bytes => fill("#\n", bytes),
  "carriage returns": bytes => fill("\r", bytes),
};

/** Texts of headers, which regular expressions and splits look at. */
export const HEADERS_OF_REQUESTS: Kinds<string> = {
  pairs: bytes => fill("read=light,", bytes),
  "pairs of members": bytes => lines(i => `k${i}=v,`, bytes),
  commas: bytes => fill(",", bytes),
  blanks: bytes => `a${fill(" ", bytes)}b`,
  "equals signs": bytes => fill("=", bytes),
  digits: bytes => fill("1", bytes),
  dots: bytes => fill("1.", bytes),
  dashes: bytes => fill("00-", bytes),
  colons: bytes => fill(":1", bytes),
  "a long trace": bytes => `00-${fill("a", bytes)}-b7ad6b7169203331-01`,
};
