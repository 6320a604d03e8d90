/**
 * `npm run experiments -- [--short] [--seeds N] [--slo 5,25] [--pipelines video,…] [--traces FOLDER] [--rows FILE] [--write]`: simulates IPA's five
 * pipelines under its four loads with every policy, and writes docs/report/experiments.md; every cell as JSON into FILE.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runAll } from "../../cli/simulate/run-all.ts";
import { IPA_PIPELINES } from "../ipa-pipelines.ts";
import { e1Cases, SLO_FACTORS } from "./e1-cells.ts";
import { type E1Row, e1Report } from "./e1-report.ts";
import { ipaLoads } from "./ipa-loads.ts";
import { writeExperiments } from "./write-experiments.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      seeds: { type: "string", default: "1" },
      slo: { type: "string", default: SLO_FACTORS.join(",") },
      pipelines: { type: "string" },
      traces: { type: "string" },
      rows: { type: "string" },
    },
  });
  if (values.short && values.write) throw new Error("--short measures too little to be written down");
  const names = values.pipelines?.split(",");
  const { note, loads } = ipaLoads(values.traces ?? null, values.short);
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
  const cases = seeds.flatMap(seed =>
    e1Cases(loads, {
      sloFactors: values.short ? [5] : values.slo.split(",").map(Number),
      seed,
      pipelines: IPA_PIPELINES.filter(({ name }) => names?.includes(name) ?? true),
    }),
  );
  process.stderr.write(`${cases.length} simulations; ${note}\n`);
  let said = 0;
  const results = await runAll(
    cases.map(({ given }) => given),
    null,
    share => {
      if (share < said + 0.05) return;
      said = Math.floor(20 * share) / 20;
      process.stderr.write(`${Math.round(100 * said)} %\n`);
    },
  );
  const rows = results.map(
    (result, i): E1Row => ({
      ...(cases[i] as (typeof cases)[number]).cell,
      ...result.summary,
      tickMs: result.tickP50Ms,
    }),
  );
  if (values.rows !== undefined) writeFileSync(values.rows, `${JSON.stringify(rows, null, 1)}\n`);
  const report = e1Report(note, rows);
  if (values.write) writeExperiments(report);
  else process.stdout.write(`${report}\n`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
