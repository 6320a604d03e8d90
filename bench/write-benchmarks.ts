import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import { agentReport } from "./agent-report.ts";
import { details, figureBar, figureValue, type Report } from "./report.ts";
import { withSection } from "./sections.ts";

const HEAD = `# Benchmarks

Written by \`npm run bench -- SUITE --write\`; each suite replaces its own section. Bars are those of bench/bars.json.
`;

/** Puts a report into docs/benchmarks.md in the place of the suite's last one, and what is made of it into the technical report. */
export function writeBenchmarks(report: Report): void {
  const path = join(packageFolder, "docs", "benchmarks.md");
  const before = existsSync(path) ? readFileSync(path, "utf8") : HEAD;
  mkdirSync(dirname(path), { recursive: true });
  const benchmarks = withSection(before, sectionOf(report));
  writeFileSync(path, benchmarks);
  if (report.suite === "page")
    writeFileSync(join(packageFolder, "docs", "report", "agent.md"), agentReport(benchmarks));
}

function sectionOf(report: Report): string {
  const rows = report.figures.map(figure => {
    const cells = [`\`${figure.name}\``, figureValue(figure), figureBar(figure), figure.holds ? "yes" : "**no**"];
    return `| ${[...cells, details(figure).join("; ")].join(" | ")} |`;
  });
  return [
    `## ${report.suite}`,
    "",
    `${report.machine}, ${report.date.slice(0, 10)}.`,
    "",
    "| figure | value | bar | holds | beside it |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
