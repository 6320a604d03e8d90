import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import type { Figure } from "./figure.ts";
import { figureBar, figureValue, type Report } from "./report.ts";

const HEAD = `# The agent (T4)

Written by \`npm run bench -- page --only agent --report\`. What the agent is, and how its proposals are checked: [agent.md](../agent.md).

The control loop already finds the best plan by the user's objective for the forecast of the load, proven. What is left for an agent is what
that model does not see: how often to switch, how careful a forecast to plan for, how the load behaves over minutes. So an agent here tunes the
loop and does not replace it, and no answer of a model can break a constraint: each proposal is planned with by the exact optimiser before it
counts, and each plan leaves out what would break a constraint by then.

Two agents use the same settings, limits and checks: a language model at any OpenAI-compatible endpoint, and a search without one. Only the search
has figures of gain: they need no model of anybody's, and anyone can measure them again.
`;

/** Writes the agent's page of the technical report from the figures of one whole run. */
export function writeAgentReport(report: Report): void {
  const figures = report.figures.filter(({ name }) => name.startsWith("agent."));
  if (figures.length === 0) throw new Error("--report needs the part `agent` of the suite `page`");
  const text = [
    HEAD,
    `## Figures\n\n${report.machine}, ${report.date.slice(0, 10)}.\n`,
    "| figure | value | bar | holds |\n| --- | --- | --- | --- |",
    ...figures.map(
      figure =>
        `| \`${figure.name}\` | ${figureValue(figure)} | ${figureBar(figure)} | ${figure.holds ? "yes" : "**no**"} |`,
    ),
    ...figures.map(figureText),
  ];
  writeFileSync(join(packageFolder, "docs", "report", "agent.md"), `${text.join("\n")}\n`);
}

const MEANING: Readonly<Record<string, string>> = {
  "agent.constraintViolations":
    "Ticks whose plan breaks a constraint that a plan without an agent keeps, while a model that answers at random (proposals good and bad, tools that there are not, broken JSON, errors) acts at every tick, by the whole path of endpoint, tool loop, check and control loop.",
  "agent.gain":
    "What the search gains on loads that it has not seen, against the defaults, in percent of their utility: weights.accuracy · effective accuracy − weights.cost · cores. Where the training loads show no gain beyond chance the defaults stay, and the gain is nought. It may use forecast quantiles down to 0.5 (`--least-quantile 0.5`), which a user has to allow; what it misses the SLO by for that stands below.",
};

function figureText({ name, against, note }: Figure): string {
  const beside = Object.entries(against ?? {}).map(([what, value]) => `${what} ${value}`);
  const lines = [
    ...(beside.length > 0 ? [`- ${beside.join(", ")}`] : []),
    ...(note ?? "").split("; ").flatMap(part => (part === "" ? [] : [`- ${part}`])),
  ];
  return `\n### ${name}\n\n${MEANING[name] ?? ""}\n\n${lines.join("\n")}`;
}
