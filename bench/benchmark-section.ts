import { details, figureBar, figureValue, type Report } from "./report.ts";
import { sectionNamed } from "./sections.ts";

/** Of a row that was kept: what follows is the machine and the day. */
export const MARK = "measured before, on";

/** The section of a whole run of a suite. */
export function wholeSection(report: Report): string {
  return sectionOf(report, rowsOf(report));
}

/**
 * The section of a run that measured some figures of a suite: their rows take the places of those of the page. Each that stays says when and on
 * what it was measured.
 */
export function partialSection(page: string, report: Report): string {
  const lines = sectionNamed(page, report.suite).split("\n");
  const [, , measured = ""] = lines;
  const rows = new Map<string, string>();
  for (const line of lines) {
    const name = nameOf(line);
    if (name !== null) rows.set(name, measured === measuredLine(report) ? line : marked(line, measured));
  }
  for (const line of rowsOf(report)) rows.set(nameOf(line) ?? "", line);
  return sectionOf(report, [...rows.values()]);
}

function sectionOf(report: Report, rows: readonly string[]): string {
  const head = [`## ${report.suite}`, "", measuredLine(report), ""];
  return [...head, "| figure | value | bar | holds | beside it |", "|---|---|---|---|---|", ...rows].join("\n");
}

function rowsOf(report: Report): readonly string[] {
  return report.figures.map(figure => {
    const cells = [`\`${figure.name}\``, figureValue(figure), figureBar(figure), figure.holds ? "yes" : "**no**"];
    return `| ${[...cells, details(figure).join("; ")].join(" | ")} |`;
  });
}

function measuredLine(report: Report): string {
  return `${report.machine}, ${report.date.slice(0, 10)}.`;
}

/** Of a row; null: the line is none. */
function nameOf(line: string): string | null {
  return /^\| `([^`]+)`/.exec(line)?.[1] ?? null;
}

function marked(row: string, measured: string): string {
  if (row.includes(MARK)) return row;
  const said = `${MARK} ${measured.replace(/\.$/, "")}`;
  const text = row.replace(/\s*\|$/, "");
  return text.endsWith("|") ? `${text} ${said} |` : `${text}; ${said} |`;
}
