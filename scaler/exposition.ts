/** Adds one sample of a metric. Labels come in the order of their names. */
export type AddSample = (labels: readonly string[], value: number) => void;

type MetricType = "gauge" | "counter";

interface Family {
  readonly head: string;
  /** What is full; strings of it would outlive the young generation. */
  readonly pieces: Buffer[];
  text: string;
}

/** Characters that a family collects before it makes a piece of them. */
const PIECE_LENGTH = 4096;

/**
 * Metrics in the Prometheus text format, written once and forgotten. A registry would keep every series between two scrapes, which
 * for hundreds of pipelines is most of the process's memory.
 */
export class Exposition {
  readonly #families: Family[] = [];

  family(type: MetricType, name: string, help: string, labelNames: readonly string[]): AddSample {
    const family: Family = { head: `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, pieces: [], text: "" };
    this.#families.push(family);
    return (labels, value) => {
      const pairs = labelNames.map((label, i) => `${label}="${escapeLabel(labels[i] ?? "")}"`);
      family.text += `${name}{${pairs.join(",")}} ${formatValue(value)}\n`;
      if (family.text.length < PIECE_LENGTH) return;
      family.pieces.push(Buffer.from(family.text));
      family.text = "";
    };
  }

  /** What was added so far. Families without samples are left out. */
  pieces(): readonly Buffer[] {
    return this.#families
      .filter(({ pieces, text }) => pieces.length > 0 || text !== "")
      .flatMap(({ head, pieces, text }, i) => [
        Buffer.from(i === 0 ? head : `\n${head}`),
        ...pieces,
        Buffer.from(text),
      ]);
  }
}

function escapeLabel(value: string): string {
  return /[\\\n"]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"') : value;
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}
