/**
 * `npm run experiments -- [e1 e3 e5] [--short] [--seeds N] [--slo 5,25] [--pipelines video,…] [--traces FOLDER] [--rows FILE] [--write]`:
 * simulates IPA's five pipelines under its four loads; each experiment replaces its own section of docs/report/experiments.md. `--slo` and
 * `--pipelines` are for E1; every cell goes as JSON into FILE.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runAll } from "../../cli/simulate/run-all.ts";
import { IPA_PIPELINES } from "../ipa-pipelines.ts";
import { type ExperimentCase, e1Cases, SLO_FACTORS } from "./e1-cells.ts";
import { e1Report } from "./e1-report.ts";
import { e3Cases, e3Report } from "./e3-ablations.ts";
import { e5Cases, e5Report } from "./e5-failures.ts";
import { ipaLoads } from "./ipa-loads.ts";
import type { ExperimentRow } from "./report-parts.ts";
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
  const { note, loads } = ipaLoads(values.traces ?? null, values.short);
  const names = values.pipelines?.split(",");
  const pipelines = IPA_PIPELINES.filter(({ name }) => names?.includes(name) ?? true);
  const sloFactors = values.short ? [5] : values.slo.split(",").map(Number);
  const experiments = {
    e1: { cases: (seed: number) => e1Cases(loads, { sloFactors, seed, pipelines }), report: e1Report },
    e3: { cases: (seed: number) => e3Cases(loads, seed), report: e3Report },
    e5: { cases: (seed: number) => e5Cases(loads, seed), report: e5Report },
  } as const;
  const chosen = positionals.length > 0 ? positionals : Object.keys(experiments);
  const all: ExperimentRow[] = [];
  for (const name of chosen) {
    const experiment = experiments[name as keyof typeof experiments];
    if (!experiment) throw new Error(`${name} is none of ${Object.keys(experiments).join(", ")}`);
    const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
    const rows = await rowsOf(name, seeds.flatMap(experiment.cases), note);
    all.push(...rows);
    const report = experiment.report(note, rows);
    if (values.write) writeExperiments(report);
    else process.stdout.write(`${report}\n\n`);
  }
  if (values.rows !== undefined) writeFileSync(values.rows, `${JSON.stringify(all, null, 1)}\n`);
}

async function rowsOf(name: string, cases: readonly ExperimentCase[], note: string): Promise<readonly ExperimentRow[]> {
  process.stderr.write(`${name}: ${cases.length} simulations; ${note}\n`);
  let said = 0;
  const results = await runAll(
    cases.map(({ given }) => given),
    null,
    share => {
      if (share < said + 0.05) return;
      said = Math.floor(20 * share) / 20;
      process.stderr.write(`${name}: ${Math.round(100 * said)} %\n`);
    },
  );
  return results.map(({ summary, tickP50Ms, timeline }, i) => ({
    ...(cases[i] as ExperimentCase).cell,
    ...summary,
    tickMs: tickP50Ms,
    timeline,
  }));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
