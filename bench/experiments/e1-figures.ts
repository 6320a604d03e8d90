import { type Figure, figure } from "../figure.ts";
import { IPA_PIPELINES, ipaPipeline } from "../ipa-pipelines.ts";
import { beatersOf, cellsOf, SAME_CORES, versus } from "./e1-verdict.ts";
import { type ExperimentRow, mean } from "./report-parts.ts";

/** What E1 comes to, of the rows at an SLO of five times the mean latency. */
export function e1Figures(rows: readonly ExperimentRow[], note: string): Figure[] {
  const cells = cellsOf(rows);
  const against = (name: string) => cells.flatMap(cell => versus(cell, name) ?? []);
  const ipa = against("ipa");
  const rivals = cells.flatMap(cell =>
    cell.filter(({ contender }) => contender.startsWith(HPA)).map(rival => ({ cell, rival })),
  );
  const withMore = rivals.filter(({ rival }) => !hasFewest(rival));
  const hpa = withMore.map(({ cell, rival }) => versus(cell, rival.contender) ?? NOTHING_SAVED);
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
      note: `effective accuracy at no more cores and violations, or cores saved at the same accuracy, with the best of our frontier in each cell; ${note}`,
    }),
    figure("e1slo5x.dominatedShare", round((100 * beaten) / cells.length), {
      against: { cells: beaten, of: cells.length },
      note: "cells in which a baseline is better on accuracy, cores and violations at once",
    }),
    figure("violations.overOracle", round(own - oracle), {
      against: { percent: round(own), oraclePercent: round(oracle) },
    }),
    figure("violations.vsIpa", round(own / ipas), { against: { percent: round(own), ipaPercent: round(ipas) } }),
    figure("vsHpa.coresSaved", hpa.length > 0 ? round(100 * Math.min(...hpa.map(({ saved }) => saved))) : null, {
      against: {
        meanPercent: round(100 * mean(hpa.map(({ saved }) => saved))),
        cells: hpa.length,
        of: rivals.length,
        withOneReplicaEach: rivals.length - withMore.length,
      },
      note: "in the cell where they are fewest; against HPAs with the heaviest variants whose replicas are as busy as ours, and 85 % busy, each with the best of our frontier at the same effective accuracy (plans with the heaviest variants alone are part of it) and at most 0.3 points more violations; without those with one replica of each stage, which is the fewest that these variants can do with",
    }),
  ];
}

const HPA = "HPA, heaviest";
/** Nothing of ours has as few violations and cores. */
const NOTHING_SAVED = { saved: 0 };

/** A bound: no plan with the heaviest variants has fewer cores than one replica of each stage. */
function hasFewest(row: ExperimentRow | undefined): boolean {
  const ipa = IPA_PIPELINES.find(({ name }) => name === row?.pipeline);
  if (!row || !ipa) return false;
  const { stages } = ipaPipeline(ipa, { policy: "static" });
  const fewest = stages.reduce((sum, { variants }) => sum + (variants.at(-1)?.profile?.cores ?? 0), 0);
  return row.cores <= fewest * (1 + SAME_CORES);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
