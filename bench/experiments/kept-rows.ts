import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SimulationCase } from "../../cli/simulate/cases.ts";
import type { ExperimentRow } from "./report-parts.ts";

/** Folders of all that decides what comes of a case, beside the case. */
const CODE = [
  "cli/simulate",
  "control",
  "domain",
  "gateway",
  "load",
  "optimizer",
  "predictor",
  "simulator",
  "variant-switcher",
];

/** Rows of every kind name their contender. */
interface NamedRow {
  readonly contender: string;
}

interface Kept<Row> {
  readonly key: string;
  readonly row: Row;
}

/**
 * Rows in a file, one on each line, written as they come: what an earlier run has simulated, of the same case with the same code on such a machine, is not
 * simulated again. Rows of anything else stay in the file and are not taken. Throws when the file has a whole line that is none of its own.
 */
export class KeptRows<Given extends object = SimulationCase, Row extends NamedRow = ExperimentRow> {
  readonly #file: string | null;
  readonly #rows: ReadonlyMap<string, Row>;
  readonly #code: string;
  /** Of what many cases share: a load's past has millions of bytes. */
  readonly #digests = new WeakMap<object, string>();

  /** Null: nothing is kept. `code`: of everything that simulates. */
  constructor(file: string | null, code = file === null ? "" : codeDigest()) {
    this.#file = file;
    this.#code = code;
    this.#rows = file === null || !existsSync(file) ? new Map() : read<Row>(file);
  }

  of(given: Given): Row | null {
    return this.#rows.size > 0 ? (this.#rows.get(this.#keyOf(given)) ?? null) : null;
  }

  keep(given: Given, row: Row): void {
    if (this.#file === null) return;
    const kept: Kept<Row> = { key: this.#keyOf(given), row };
    appendFileSync(this.#file, `${JSON.stringify(kept)}\n`);
  }

  #keyOf(given: Given): string {
    const hash = createHash("sha256").update(this.#code);
    for (const [name, value] of Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`\n${name} ${this.#digestOf(value)}`);
    }
    return hash.digest("hex");
  }

  #digestOf(value: unknown): string {
    if (typeof value !== "object" || value === null) return textOf(value);
    const known = this.#digests.get(value) ?? digestOf(textOf(value));
    this.#digests.set(value, known);
    return known;
  }
}

/** Numbers of typed arrays as their bytes: millions of them would make a text too long, and NaN is among them. */
function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_key, one: unknown) =>
      ArrayBuffer.isView(one) ? digestOf(new Uint8Array(one.buffer, one.byteOffset, one.byteLength)) : one,
    ) ?? "undefined"
  );
}

/** A crash may have cut the last line off: it goes, and is simulated again. */
function read<Row extends NamedRow>(file: string): ReadonlyMap<string, Row> {
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf("\n") + 1;
  const lines = bytes.toString("utf8", 0, end).split("\n").slice(0, -1);
  const rows = new Map(
    lines.map((line, i) => {
      const kept = parsed<Row>(line);
      if (kept === null) throw new Error(`${file}:${i + 1}: no row of an experiment; give another file to --rows`);
      return [kept.key, kept.row];
    }),
  );
  // A file of something else, without any line, stays as it is.
  if (end === 0 && bytes.length > 0) throw new Error(`${file}: no rows of an experiment; give another file to --rows`);
  if (end < bytes.length) truncateSync(file, end);
  return rows;
}

function parsed<Row extends NamedRow>(line: string): Kept<Row> | null {
  try {
    const kept = JSON.parse(line) as Partial<Kept<Row>> | null;
    return typeof kept?.key === "string" && typeof kept.row?.contender === "string" ? (kept as Kept<Row>) : null;
  } catch {
    return null;
  }
}

/** Rows of other code, or of another kind of machine, are others. */
export function codeDigest(folders: readonly string[] = CODE): string {
  const folder = fileURLToPath(new URL("../../", import.meta.url));
  // Ticks are timed: those of another machine say nothing of this one.
  const hash = createHash("sha256").update(`${process.version} ${cpus()[0]?.model}\n`);
  for (const part of folders) {
    const names = readdirSync(join(folder, part), { recursive: true, encoding: "utf8" });
    for (const name of names.filter(one => /\.(js|json)$/.test(one)).sort()) {
      hash.update(`${part}/${name}\n`).update(readFileSync(join(folder, part, name)));
    }
  }
  return hash.digest("hex");
}

function digestOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
