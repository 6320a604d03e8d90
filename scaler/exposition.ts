/** Adds one sample of a metric. Labels come in the order of their names. */
export type AddSample = (labels: readonly string[], value: number) => void;

type MetricType = "gauge" | "counter";

interface Family {
  readonly type: MetricType;
  readonly name: string;
  readonly help: string;
  readonly lines: string[];
}

/**
 * Metrics in the Prometheus text format, written once and forgotten. A registry would keep every series between two scrapes, which
 * for hundreds of pipelines is most of the process's memory.
 */
export class Exposition {
  readonly #families: Family[] = [];

  family(type: MetricType, name: string, help: string, labelNames: readonly string[]): AddSample {
    const family: Family = { type, name, help, lines: [] };
    this.#families.push(family);
    return (labels, value) => {
      const pairs = labelNames.map((label, i) => `${label}="${escapeLabel(labels[i] ?? "")}"`);
      family.lines.push(`${name}{${pairs.join(",")}} ${formatValue(value)}`);
    };
  }

  /** Families without samples are left out. */
  text(): string {
    return this.#families
      .filter(family => family.lines.length > 0)
      .map(({ type, name, help, lines }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`)
      .join("\n");
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
