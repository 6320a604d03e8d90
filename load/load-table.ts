import { VariscaleError } from "../domain/errors.ts";

/** What a text of load says, line by line, before anything is made of its times. */
export interface LoadTable {
  /** For messages. */
  readonly fileName: string;
  /** Of the values' column; null where there is no heading. */
  readonly valueName: string | null;
  /** Of the times' column; null where there is no heading or no such column. */
  readonly timeName: string | null;
  readonly rows: readonly LoadRow[];
}

export interface LoadRow {
  /** 1 for the first line of the file. */
  readonly line: number;
  /** As it is written; null: there is no column of times. */
  readonly time: string | null;
  /** At least 0; NaN: the cell says that it is not known, or a line is one request. */
  readonly value: number;
}

export interface LoadTableOptions {
  /** Column of the values by its heading or by its number, from 1; null: the only one that there is beside the times. */
  readonly column: string | null;
  /** Each line is one request, and no column has values. */
  readonly isEachLineARequest?: boolean;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const UNKNOWN = /^(?:nan|null|none|n\/a|na|missing|-|–|)$/i;
const NO_NUMBER = /^[+-]?inf(?:inity)?$/i;
const TIME_NAME =
  /^(?:t|ts|time|date|timestamp|datetime|seconds?|secs?|minutes?|mins?|hours?|ms|epoch|unix)(?:[_ (].*)?$/i;
const MOST_SHOWN = 40;

/**
 * Reads one value a line, or columns that commas, semicolons or tabs separate, with or without a heading, a column of times and
 * comments (`#`); also one line of values that blanks separate. Cells that say that a value is not known (empty, NaN, null, –) are NaN.
 *
 * @throws VariscaleError invalid_argument that names the file, the line, the cell and what to write.
 */
export function readLoadTable(text: string, fileName: string, options: LoadTableOptions): LoadTable {
  const lines = cellsOf(text);
  const first = lines[0];
  if (first === undefined)
    throw invalid(fileName, null, "has no line with a rate: write one rate a line, as 12.5, or name another file");
  const heading = isHeading(first.cells) ? first.cells : null;
  const data = heading === null ? lines : lines.slice(1);
  const columns = columnsOf(fileName, heading, data[0]?.cells ?? first.cells, options);
  const rows = data.map(({ line, cells }): LoadRow => {
    if (cells.length !== columns.count)
      throw invalid(
        fileName,
        line,
        `there are ${cells.length} columns where the first line has ${columns.count}: give every line as many, and write decimals with a point`,
      );
    const time = columns.time === null ? null : (cells[columns.time] ?? "");
    return {
      line,
      time,
      value: columns.value === null ? Number.NaN : rateIn(fileName, line, cells[columns.value] ?? ""),
    };
  });
  return {
    fileName,
    rows,
    valueName: columns.value === null ? null : (heading?.[columns.value] ?? null),
    timeName: columns.time === null ? null : (heading?.[columns.time] ?? null),
  };
}

interface Line {
  readonly line: number;
  readonly cells: readonly string[];
}

function cellsOf(text: string): Line[] {
  const lines: Line[] = [];
  let line = 0;
  for (const raw of text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/)) {
    line += 1;
    const trimmed = raw.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    for (const cells of splitLine(raw)) lines.push({ line, cells });
  }
  return lines;
}

/** Several values in one line without separators are one row each. */
function splitLine(raw: string): readonly (readonly string[])[] {
  if (/[,;\t]/.test(raw.trim())) return [(raw.includes('"') ? splitQuoted(raw) : raw.split(/[,;\t]/)).map(clean)];
  const words = raw.trim().split(/\s+/);
  return words.length > 1 && words.every(word => NUMBER.test(word)) ? words.map(word => [word]) : [[clean(raw)]];
}

function splitQuoted(raw: string): string[] {
  const cells = [""];
  let isQuoted = false;
  for (const character of raw) {
    if (character === '"') isQuoted = !isQuoted;
    if (!isQuoted && /[,;\t]/.test(character)) cells.push("");
    else cells.push((cells.pop() ?? "") + character);
  }
  return cells;
}

function clean(cell: string): string {
  return cell
    .trim()
    .replace(/^"(.*)"$/, "$1")
    .trim();
}

/** A first line in which something is a word and nothing is a number or says that one is missing. */
function isHeading(cells: readonly string[]): boolean {
  return cells.every(cell => /^[\p{L}_%]/u.test(cell) && !UNKNOWN.test(cell) && !NO_NUMBER.test(cell));
}

interface Columns {
  readonly count: number;
  readonly time: number | null;
  readonly value: number | null;
}

function columnsOf(
  fileName: string,
  heading: readonly string[] | null,
  first: readonly string[],
  options: LoadTableOptions,
): Columns {
  const count = heading?.length ?? first.length;
  const named =
    options.column === null || options.isEachLineARequest ? null : findColumn(fileName, heading, count, options.column);
  const time = timeColumn(heading, first, named, options.isEachLineARequest === true);
  if (options.isEachLineARequest) {
    if (time === null)
      throw invalid(
        fileName,
        1,
        "there is no column of times, and each line is to be one request: write the time of each in the first column",
      );
    return { count, time, value: null };
  }
  if (named !== null) return { count, time: named === time ? null : time, value: named };
  const others = Array.from({ length: count }, (_, i) => i).filter(i => i !== time);
  const [value] = others;
  if (others.length === 1 && value !== undefined) return { count, time, value };
  const names = others.map(i => (heading === null ? `${i + 1}` : `\`${short(heading[i] ?? "")}\``)).join(", ");
  throw invalid(
    fileName,
    1,
    `the rate may be in column ${names}: say which one with --column, or, where each line is one request, --values requests`,
  );
}

function findColumn(fileName: string, heading: readonly string[] | null, count: number, column: string): number {
  const byName = heading?.indexOf(column) ?? -1;
  if (byName >= 0) return byName;
  const number = Number(column);
  if (Number.isInteger(number) && number >= 1 && number <= count) return number - 1;
  const has =
    heading === null ? `${count} columns and no heading` : heading.map(name => `\`${short(name)}\``).join(", ");
  throw invalid(
    fileName,
    1,
    `there is no column \`${short(column)}\`; it has ${has}: name one of them, or give its number from 1 to ${count}`,
  );
}

/** By its heading; without a heading the first one of several. */
function timeColumn(
  heading: readonly string[] | null,
  first: readonly string[],
  value: number | null,
  isOnlyColumn: boolean,
): number | null {
  if (first.length === 1 && !isOnlyColumn) return null;
  if (heading !== null) {
    const found = heading.findIndex((name, i) => i !== value && TIME_NAME.test(name));
    if (found >= 0) return found;
    return isOnlyColumn || (value !== 0 && heading.length > 1 && isDate(first[0] ?? "")) ? 0 : null;
  }
  return isOnlyColumn || (first.length > 1 && value !== 0) ? 0 : null;
}

function isDate(cell: string): boolean {
  return /^\d+[-:/]\d+/.test(cell);
}

function rateIn(fileName: string, line: number, cell: string): number {
  if (UNKNOWN.test(cell)) return Number.NaN;
  const value = NUMBER.test(cell) ? Number(cell) : Number.NaN;
  if (Number.isFinite(value) && value >= 0) return value;
  throw invalid(
    fileName,
    line,
    `\`${short(cell)}\` is not a rate; write a number of at least 0, or leave the cell empty where it is not known`,
  );
}

function short(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}…`;
}

function invalid(fileName: string, line: number | null, message: string): VariscaleError {
  return new VariscaleError("invalid_argument", `${fileName}${line === null ? "" : `, line ${line}:`} ${message}`);
}
