import type { Figure } from "./figure.ts";

/** What one run of a suite has measured. */
export interface Report {
  readonly suite: string;
  readonly machine: string;
  /** ISO 8601. */
  readonly date: string;
  readonly figures: readonly Figure[];
}

/** The report for a terminal. */
export function reportTable(report: Report): string {
  const width = Math.max(...report.figures.map(({ name }) => name.length));
  const lines = report.figures.map(figure => {
    const missing = figure.value === null ? "NOT MEASURED" : "DOES NOT HOLD";
    const verdict = figure.holds ? "holds" : missing;
    const line = `${figure.name.padEnd(width)}  ${figureValue(figure).padEnd(16)} ${figureBar(figure).padEnd(10)} ${verdict}`;
    return [line, ...details(figure).map(detail => `${" ".repeat(width)}  ${detail}`)].join("\n");
  });
  return [`${report.suite} on ${report.machine}, ${report.date}`, "", ...lines].join("\n");
}

export function figureValue(figure: Figure): string {
  return figure.value === null ? "not measured" : `${figure.value} ${figure.unit}`;
}

export function figureBar(figure: Figure): string {
  return `${figure.direction === "atMost" ? "≤" : "≥"} ${figure.bar}`;
}

/** What was measured beside it, and the note. */
export function details(figure: Figure): readonly string[] {
  const against = Object.entries(figure.against ?? {}).map(([name, value]) => `${name} ${value}`);
  return [...(against.length > 0 ? [against.join(", ")] : []), ...(figure.note === undefined ? [] : [figure.note])];
}
