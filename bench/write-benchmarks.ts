import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import { agentReport } from "./agent-report.ts";
import { partialSection, wholeSection } from "./benchmark-section.ts";
import type { Report } from "./report.ts";
import { withSection } from "./sections.ts";

const HEAD = `# Benchmarks

Written by \`npm run bench -- SUITE --write\`; each suite replaces its own section, with \`--only\` the rows of some
parts. Bars are those of bench/bars.json.
`;

/**
 * Puts a report into docs/benchmarks.md in the place of the suite's last one, and what is made of it into the technical report.
 * @param isWhole false: other figures of the suite stay as they are.
 */
export function writeBenchmarks(report: Report, isWhole: boolean): void {
  const path = join(packageFolder, "docs", "benchmarks.md");
  const before = existsSync(path) ? readFileSync(path, "utf8") : HEAD;
  const benchmarks = withSection(before, isWhole ? wholeSection(report) : partialSection(before, report));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, benchmarks);
  if (report.figures.some(({ name }) => name.startsWith("agent.")))
    writeFileSync(join(packageFolder, "docs", "report", "agent.md"), agentReport(benchmarks));
}
