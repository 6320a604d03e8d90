import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../runtime/version.ts";
import { withSection } from "../sections.ts";

const HEAD = `# Experiments

Written by \`npm run experiments -- --write\`, or of one experiment by \`npm run experiments -- e1 --write\`. Every number is of a simulation
([how it works](../simulation.md)) with the same seeds for every policy.
`;

/** Puts an experiment's report into docs/report/experiments.md in the place of its last one. */
export function writeExperiments(report: string): void {
  const path = join(packageFolder, "docs/report/experiments.md");
  writeFileSync(path, withSection(existsSync(path) ? readFileSync(path, "utf8") : HEAD, dated(report)));
}

/** Says below its heading when it was run: sections are run one by one, and one that is old is of the code of then. */
function dated(report: string): string {
  const [heading = "", ...rest] = report.split("\n\n");
  return [heading, `Run on ${new Date().toISOString().slice(0, 10)}.`, ...rest].join("\n\n");
}
