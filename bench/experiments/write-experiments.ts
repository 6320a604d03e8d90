import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../runtime/version.ts";

const HEAD = `# Experiments

Written by \`npm run experiments -- --write\`. Every number is of a simulation ([how it works](../simulation.md)) with the same seeds for
every policy.
`;

export function writeExperiments(report: string): void {
  writeFileSync(join(packageFolder, "docs/report/experiments.md"), `${HEAD}\n${report.trimEnd()}\n`);
}
