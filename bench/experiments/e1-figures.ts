import { type Figure, figure } from "../figure.ts";
import { beatersOf, cellsOf, versus } from "./e1-verdict.ts";
import { type ExperimentRow, mean } from "./report-parts.ts";

/** What E1 comes to, of the rows at an SLO of five times the mean latency. */
export function e1Figures(rows: readonly ExperimentRow[], note: string): Figure[] {
  const cells = cellsOf(rows);
  const against = (name: string) => cells.flatMap(cell => versus(cell, name) ?? []);
  const [ipa, hpa] = [against("ipa"), against("HPA, heaviest")];
  const violationsOf = (name: string): number =>
    100 * mean(rows.filter(({ contender }) => contender === name).map(({ violations }) => violations));
  const [own, oracle, ipas] = [violationsOf("default"), violationsOf("oracle"), violationsOf("ipa")];
  const beaten = cells.filter(cell => beatersOf(cell).length > 0).length;
  return [
    figure("e1slo5x.vsIpa", round(100 * mean(ipa.map(({ gain }) => gain))), {
      against: {
        coresSavedPercent: round(100 * mean(ipa.map(({ saved }) => saved))),
        cells: ipa.length,
        of: cells.length,
      },
      note: `effective accuracy at no more cores and violations, or cores saved at the same accuracy; ${note}`,
    }),
    figure("e1slo5x.dominatedShare", round((100 * beaten) / cells.length), {
      against: { cells: beaten, of: cells.length },
      note: "cells in which a baseline is better on accuracy, cores and violations at once",
    }),
    figure("violations.overOracle", round(own - oracle), {
      against: { percent: round(own), oraclePercent: round(oracle) },
    }),
    figure("violations.vsIpa", round(own / ipas), { against: { percent: round(own), ipaPercent: round(ipas) } }),
    figure("vsHpa.coresSaved", round(100 * Math.min(...hpa.map(({ saved }) => saved))), {
      against: {
        meanPercent: round(100 * mean(hpa.map(({ saved }) => saved))),
        cells: hpa.length,
        of: cells.length,
      },
      note: "in the cell where they are fewest; against an HPA with the heaviest variants, at no more violations and the same effective accuracy",
    }),
  ];
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
