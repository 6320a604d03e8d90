import { details, figureBar, figureValue } from "../report.ts";
import { e1Figures } from "./e1-figures.ts";
import { beatersOf, cellsOf, SAME_SHARE, versus } from "./e1-verdict.ts";
import { type ExperimentRow, everyCell, mean, meansOf, namesOf, percent, signed, table } from "./report-parts.ts";

/** The SLO that the suite's figures are of. */
const FIGURES_FACTOR = 5;

/** E1 as text: who wins against IPA in how many cells, who is beaten by whom, and every cell. */
export function e1Report(note: string, rows: readonly ExperimentRow[]): string {
  const factors = [...new Set(rows.map(({ sloFactor }) => sloFactor))];
  return [
    "## E1: IPA's five pipelines under its four loads",
    "",
    `Variants, cores, accuracies and weights are those of IPA ([optimisation.md](optimisation.md)); loads: ${note}. Every variant has pods of its own cores, so a change of variant starts a new pod (8 s) before the old one goes; HPAs look every 15 s; a request is given up after twice its SLO. \`ipa\` plans for the highest second of the last 20 s times the margins of its configurations; "no margin" and "our forecast" leave these out. \`default\` has IPA's weights and plans so that 99 % are in time; "core ×" and "core ÷" change what a core costs it, to show its frontier, as does \`default\` with the heaviest variants alone, whose replicas may also be 95 % busy and be planned for the median of what may come; "85 % busy" is an HPA with that target. Where results are compared, cores count as equal within 0.5 %, accuracies within 0.1 points, violations within 0.3 points. \`rim\` and \`modelSwitching\` do not scale: they have twice the replicas that the lightest variants need at the highest second. "tick ms" is the median tick of the control loop, with the forecast where it is ours.`,
    "",
    ...factors.flatMap(factor =>
      section(
        factor,
        rows.filter(({ sloFactor }) => sloFactor === factor),
      ),
    ),
  ].join("\n");
}

function section(factor: number, rows: readonly ExperimentRow[]): string[] {
  return [
    `### SLO of ${factor} times the mean latency`,
    "",
    table(
      ["contender", "accuracy", "effective", "cores", "violations", "cells over 1 %", "switches", "tick ms"],
      namesOf(rows).map(name => {
        const own = rows.filter(({ contender }) => contender === name);
        return [name, ...meansOf(own), mean(own.map(({ tickMs }) => tickMs)).toFixed(2)];
      }),
    ),
    "",
    "By load:",
    "",
    byLoad(rows),
    "",
    ...verdicts(rows),
    "",
    ...(factor === FIGURES_FACTOR ? figuresOf(rows) : []),
    ...everyCell(rows),
    "",
  ];
}

/** Loads differ most in how much of them can be forecast. */
const COMPARED_BY_LOAD = ["default", "oracle", "ipa", "ipa, no margin", "HPA, heaviest"];

function byLoad(rows: readonly ExperimentRow[]): string {
  const loads = [...new Set(rows.map(({ load }) => load))];
  return table(
    ["load", "contender", "accuracy", "effective", "cores", "violations", "cells over 1 %", "switches"],
    loads.flatMap(load =>
      COMPARED_BY_LOAD.flatMap(name => {
        const own = rows.filter(row => row.load === load && row.contender === name);
        return own.length > 0 ? [[load, name, ...meansOf(own)]] : [];
      }),
    ),
  );
}

/** The same figures as those of the suite, of the same rows. */
function figuresOf(rows: readonly ExperimentRow[]): string[] {
  const figures = e1Figures(rows, "");
  return [
    "Held against the bars of bench/bars.json, as by `npm run bench -- simulator`:",
    "",
    table(
      ["figure", "value", "bar", "holds", "beside it"],
      figures.map(figure => [
        `\`${figure.name}\``,
        figureValue(figure),
        figureBar(figure),
        figure.holds ? "yes" : "**no**",
        details({ ...figure, note: "" }).join(""),
      ]),
    ),
    "",
  ];
}

/** Of all pipelines and loads at one SLO. */
function verdicts(rows: readonly ExperimentRow[]): string[] {
  const cells = cellsOf(rows);
  const lines: string[] = [];
  for (const rival of ["ipa", "ipa, no margin", "ipa, our forecast", "HPA, heaviest"]) {
    const compared = cells.flatMap(cell => versus(cell, rival) ?? []);
    if (compared.length === 0) continue;
    const better = compared.filter(({ gain }) => gain > SAME_SHARE);
    const asAccurate = compared.filter(({ isAsAccurate }) => isAsAccurate);
    const cheaper = compared.filter(({ saved }) => saved >= 0.2);
    lines.push(
      `- Against \`${rival}\`, with the best of our frontier that has no more cores and no more violations (${compared.length} of ${cells.length} cells have one): effective accuracy ${signed(100 * mean(compared.map(({ gain }) => gain)))} points on average, higher in ${better.length}; with the cheapest that is as accurate (${asAccurate.length} have one; in the others nothing is saved): ${percent(mean(compared.map(({ saved }) => saved)))} fewer cores on average, a fifth or more in ${cheaper.length}.`,
    );
  }
  const beaten = cells.filter(cell => beatersOf(cell).length > 0);
  const list = beaten.map(cell => `${cell[0]?.pipeline} ${cell[0]?.load}: ${beatersOf(cell).join(", ")}`);
  lines.push(
    `- Cells in which something else beats \`default\` on effective accuracy, cores and violations at once: ${beaten.length} of ${cells.length}${list.length > 0 ? ` (${list.join("; ")})` : ""}.`,
  );
  return lines;
}
