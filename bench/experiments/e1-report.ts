import { type ExperimentRow, mean, namesOf, percent, signed, table } from "./report-parts.ts";

/** What counts as the same: half a percent of the cores, a tenth of a point of accuracy. */
const SAME_CORES = 0.005;
const SAME_SHARE = 0.001;
/** Of a violation share: three in a thousand requests. */
const SAME_VIOLATIONS = 0.003;

/** E1 as text: who wins against IPA in how many cells, who is beaten by whom, and every cell. */
export function e1Report(note: string, rows: readonly ExperimentRow[]): string {
  const factors = [...new Set(rows.map(({ sloFactor }) => sloFactor))];
  return [
    "## E1: IPA's five pipelines under its four loads",
    "",
    `Variants, cores, accuracies and weights are those of IPA ([optimisation.md](optimisation.md)); loads: ${note}. Every variant has pods of its own cores, so a change of variant starts a new pod (8 s) before the old one goes; HPAs look every 15 s; a request is given up after twice its SLO. \`ipa\` plans for the highest second of the last 20 s times the margins of its configurations; "no margin" and "our forecast" leave these out. \`default\` has IPA's weights and plans so that 99 % are in time; "core ×" and "core ÷" change what a core costs it, to show its frontier. \`rim\` and \`modelSwitching\` do not scale: they have twice the replicas that the lightest variants need at the highest second.`,
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
        return [
          name,
          percent(mean(own.map(({ accuracy }) => accuracy))),
          percent(mean(own.map(({ effectiveAccuracy }) => effectiveAccuracy))),
          mean(own.map(({ cores }) => cores)).toFixed(1),
          percent(mean(own.map(({ violations }) => violations)), 2),
          `${own.filter(({ violations }) => violations > 0.01).length} of ${own.length}`,
          mean(own.map(({ switches }) => switches)).toFixed(0),
          mean(own.map(({ tickMs }) => tickMs)).toFixed(2),
        ];
      }),
    ),
    "",
    ...verdicts(rows),
    "",
    "<details><summary>Every cell</summary>",
    "",
    table(
      ["pipeline", "load", "contender", "accuracy", "effective", "cores", "violations", "dropped", "switches"],
      rows.map(row => [
        row.pipeline,
        row.load,
        row.contender,
        percent(row.accuracy),
        percent(row.effectiveAccuracy),
        row.cores.toFixed(1),
        percent(row.violations, 2),
        String(row.dropped),
        String(row.switches),
      ]),
    ),
    "",
    "</details>",
    "",
  ];
}

/** Of all pipelines and loads at one SLO. */
function verdicts(rows: readonly ExperimentRow[]): string[] {
  const cells = [...new Set(rows.map(cellOf))].map(cell => rows.filter(row => cellOf(row) === cell));
  const lines: string[] = [];
  for (const rival of ["ipa", "ipa, no margin", "ipa, our forecast", "HPA, heaviest"]) {
    const compared = cells.flatMap(cell => versus(cell, rival) ?? []);
    if (compared.length === 0) continue;
    const better = compared.filter(({ gain }) => gain > SAME_SHARE);
    const cheaper = compared.filter(({ saved }) => saved >= 0.2);
    lines.push(
      `- Against \`${rival}\`, with the best of our frontier that has no more cores and no more violations (${compared.length} of ${cells.length} cells have one): effective accuracy ${signed(100 * mean(compared.map(({ gain }) => gain)))} points on average, higher in ${better.length}; with the cheapest that is as accurate: ${percent(mean(compared.map(({ saved }) => saved)))} fewer cores on average, a fifth or more in ${cheaper.length}.`,
    );
  }
  const beaten = cells.filter(cell => cell.some(rival => dominates(rival, ours(cell)[0])));
  lines.push(
    `- Cells in which something else beats \`default\` on effective accuracy, cores and violations at once: ${beaten.length} of ${cells.length}${
      beaten.length > 0
        ? ` (${beaten
            .map(
              cell =>
                `${cell[0]?.pipeline} ${cell[0]?.load}: ${cell
                  .filter(rival => dominates(rival, ours(cell)[0]))
                  .map(({ contender }) => contender)
                  .join(", ")}`,
            )
            .join("; ")})`
        : ""
    }.`,
  );
  return lines;
}

/** What our frontier gains on one rival in one cell; null: nothing of it has as few violations and cores. */
function versus(
  cell: readonly ExperimentRow[],
  name: string,
): { readonly gain: number; readonly saved: number } | null {
  const rival = cell.find(({ contender }) => contender === name);
  if (!rival) return null;
  const fair = ours(cell).filter(({ violations }) => violations <= rival.violations + SAME_VIOLATIONS);
  const within = fair.filter(({ cores }) => cores <= rival.cores * (1 + SAME_CORES));
  const asAccurate = fair.filter(({ effectiveAccuracy }) => effectiveAccuracy >= rival.effectiveAccuracy - SAME_SHARE);
  if (within.length === 0) return null;
  const gain = Math.max(...within.map(({ effectiveAccuracy }) => effectiveAccuracy)) - rival.effectiveAccuracy;
  const least = Math.min(...asAccurate.map(({ cores }) => cores));
  return { gain, saved: Number.isFinite(least) ? 1 - least / rival.cores : 0 };
}

function ours(cell: readonly ExperimentRow[]): readonly ExperimentRow[] {
  return cell.filter(({ contender }) => contender.startsWith("default"));
}

/** The oracle knows what comes, and our own frontier is no rival. */
function dominates(rival: ExperimentRow, own: ExperimentRow | undefined): boolean {
  if (!own || rival.contender.startsWith("default") || rival.contender === "oracle") return false;
  return (
    rival.effectiveAccuracy > own.effectiveAccuracy + SAME_SHARE &&
    rival.cores < own.cores * (1 - SAME_CORES) &&
    rival.violations <= own.violations
  );
}

function cellOf({ pipeline, load, seed }: ExperimentRow): string {
  return `${pipeline}/${load}/${seed}`;
}
