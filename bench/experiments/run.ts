/**
 * `npm run experiments -- [e1 e1b e1c e2 e3 e3b e4 e5 e6] [--short] [--seeds N] [--slo 5,25] [--pipelines video,…] [--traces FOLDER] [--rows FILE] [--write]`:
 * simulates IPA's five pipelines under its four loads; each experiment replaces its own section of docs/report/experiments.md. `--slo` and
 * `--pipelines` are for E1. Every cell goes into FILE as it comes, a line of JSON each, and what is there of the same case and code is not
 * simulated again.
 */
import { parseArgs } from "node:util";
import { IPA_PIPELINES } from "../ipa-pipelines.ts";
import { boundCases, boundReport } from "./bound-report.ts";
import { type ExperimentCase, e1Cases, SLO_FACTORS } from "./e1-cells.ts";
import { e1Report } from "./e1-report.ts";
import { e1cCases, e1cReport } from "./e1c-heaviest.ts";
import { e2Cases, e2Loads, e2Report } from "./e2-own-pipelines.ts";
import { e3Cases, e3Report } from "./e3-ablations.ts";
import { e3bCases, e3bReport } from "./e3b-rise.ts";
import { e4Cases, e4Report } from "./e4-drift.ts";
import { e5Cases, e5Report } from "./e5-failures.ts";
import { e6Cases, e6Report } from "./e6-scale.ts";
import { ipaLoads } from "./ipa-loads.ts";
import { KeptRows } from "./kept-rows.ts";
import type { ExperimentRow } from "./report-parts.ts";
import { rowsOf } from "./run-cases.ts";
import { writeExperiments } from "./write-experiments.ts";

const OPTIONS = {
  short: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
  seeds: { type: "string", default: "1" },
  slo: { type: "string", default: SLO_FACTORS.join(",") },
  pipelines: { type: "string" },
  traces: { type: "string" },
  rows: { type: "string" },
} as const;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.short && values.write) throw new Error("--short measures too little to be written down");
  const folder = values.traces ?? null;
  const { note, loads } = await ipaLoads(folder, values.short);
  const names = values.pipelines?.split(",");
  const pipelines = IPA_PIPELINES.filter(({ name }) => names?.includes(name) ?? true);
  const sloFactors = values.short ? [5] : values.slo.split(",").map(Number);
  const experiments = {
    e1: { cases: (seed: number) => e1Cases(loads, { sloFactors, seed, pipelines }), report: e1Report },
    e1b: { cases: (seed: number) => boundCases(loads, seed), report: boundReport },
    e1c: { cases: (seed: number) => e1cCases(loads, seed), report: e1cReport },
    e2: { cases: (seed: number) => e2Cases([...loads, ...e2Loads(folder, values.short)], seed), report: e2Report },
    e3: { cases: (seed: number) => e3Cases(loads, seed), report: e3Report },
    e3b: { cases: (seed: number) => e3bCases(loads, seed), report: e3bReport },
    e4: { cases: (seed: number) => e4Cases(loads, seed), report: e4Report },
    e5: { cases: (seed: number) => e5Cases(loads, seed), report: e5Report },
    e6: {
      cases: (seed: number) => e6Cases(seed, values.short),
      report: (_note: string, rows: readonly ExperimentRow[]) => e6Report(rows),
    },
  } as const;
  const chosen = positionals.length > 0 ? positionals : Object.keys(experiments);
  const kept = new KeptRows(values.rows ?? null);
  for (const name of chosen) {
    const experiment = experiments[name as keyof typeof experiments];
    if (!experiment) throw new Error(`${name} is none of ${Object.keys(experiments).join(", ")}`);
    const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
    const cases: ExperimentCase[] = [];
    for (const seed of seeds) cases.push(...(await experiment.cases(seed)));
    const rows = await rowsOf(name, cases, note, kept);
    const report = experiment.report(note, rows);
    if (values.write) writeExperiments(report);
    else process.stdout.write(`${report}\n\n`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
