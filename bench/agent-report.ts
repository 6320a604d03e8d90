import { MARK } from "./benchmark-section.ts";
import { sectionNamed } from "./sections.ts";

const HEAD = `# The agent (T4)

Written by \`npm run bench -- page --write\`, from what it puts into [benchmarks.md](../benchmarks.md#page). What the agent is, and how its proposals are checked: [agent.md](../agent.md).

The control loop already finds the best plan by the user's objective for the forecast of the load, proven. What is left for an agent is what
that model does not see: how often to switch, how careful a forecast to plan for, how the load behaves over minutes. So an agent here tunes the
loop and does not replace it, and no answer of a model can break a constraint: each proposal is planned with by the exact optimiser before it
counts, and each plan leaves out what would break a constraint by then.

Two agents use the same settings, limits and checks: a language model at any OpenAI-compatible endpoint, and a search without one. Only the search
has figures of gain: they need no model of anybody's, and anyone can measure them again.
`;

/**
 * The agent's page of the technical report: the figures of docs/benchmarks.md, each with what it means. They are measured together, so one
 * machine and day stand above them: their own, also where others of the section are newer.
 *
 * @param benchmarks text of docs/benchmarks.md.
 */
export function agentReport(benchmarks: string): string {
  const [, measured = "", ...lines] = sectionNamed(benchmarks, "page")
    .split("\n")
    .filter(line => line !== "");
  const rows = lines.map(cellsOf).filter(([name = ""]) => name.startsWith("`agent."));
  if (rows.length === 0) throw new Error("docs/benchmarks.md has no figures of the agent in its section `page`");
  const [before] = rows.flatMap(row => besideOf(row).filter(isMark));
  return `${[
    HEAD,
    `## Figures\n\n${before === undefined ? measured : `${before.slice(MARK.length + 1)}.`}\n`,
    "| figure | value | bar | holds |\n| --- | --- | --- | --- |",
    ...rows.map(([name, value, bar, holds]) => `| ${name} | ${value} | ${bar} | ${holds} |`),
    ...rows.map(figureText),
  ].join("\n")}\n`;
}

const MEANING: Readonly<Record<string, string>> = {
  "agent.constraintViolations":
    "Ticks whose plan breaks a constraint that a plan without an agent keeps, while a model that answers at random (proposals good and bad, tools that there are not, broken JSON, errors) acts at every tick, by the whole path of endpoint, tool loop, check and control loop.",
  "agent.gain":
    "What the search gains on loads that it has not seen, against the defaults, in percent of their utility: weights.accuracy · effective accuracy − weights.cost · cores. Where the training loads show no gain beyond chance the defaults stay, and the gain is nought. It may use forecast quantiles down to 0.5 (`--least-quantile 0.5`), which a user has to allow; what it misses the SLO by for that stands below.",
};

function figureText(row: readonly string[]): string {
  const name = (row[0] ?? "").replaceAll("`", "");
  const lines = besideOf(row)
    .filter(part => !isMark(part))
    .map(part => `- ${part}`);
  return `\n### ${name}\n\n${MEANING[name] ?? ""}\n\n${lines.join("\n")}`;
}

function besideOf([, , , , beside = ""]: readonly string[]): readonly string[] {
  return beside.split("; ");
}

function isMark(part: string): boolean {
  return part.startsWith(MARK);
}

function cellsOf(row: string): readonly string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map(cell => cell.trim());
}
