/**
 * `npm run bench -- SUITE [--output json] [--write] [--short] [--only PART,…] [--traces FOLDER] [--rows FILE]`: measures a suite's figures
 * and holds them against bench/bars.json. Exits with 1 when one does not hold. With `--only`, `--write` leaves the rows of the other parts;
 * `--rows`: simulations of `npm run experiments -- e1 --rows FILE`, and runs of `ladder --only real`, of the same code are not run again.
 */
import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageFolder } from "../runtime/version.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";
import { type Report, reportTable } from "./report.ts";
import { writeBenchmarks } from "./write-benchmarks.ts";

// As the command line does: onnxruntime must not report to its maker.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

type Suite = (only: readonly string[] | null, rows: string | null) => Promise<readonly Figure[]>;

/** Every suite is loaded only when it runs. */
const suites: Readonly<Record<string, Suite>> = {
  kubernetes: async only => (await import("./kubernetes.bench.ts")).kubernetesSuite(only),
  optimizer: whole(async () => (await import("./optimizer.bench.ts")).optimizerSuite()),
  forecaster: async only => (await import("./forecaster.bench.ts")).forecasterSuite(only),
  house: whole(async () => countHouse()),
  ladder: async (only, rows) => (await import("./ladder/ladder.bench.ts")).ladderSuite(only, rows),
  page: async only => (await import("./page.bench.ts")).pageSuite(only),
  pipelines: async only => (await import("./pipelines.bench.ts")).pipelinesSuite(only),
  scaler: async only => (await import("./scaler.bench.ts")).scalerSuite(only),
  security: async only => (await import("./security/security.bench.ts")).securitySuite(only),
  simulator: async (only, rows) => (await import("./simulator.bench.ts")).simulatorSuite(only, rows),
  switcher: async only => (await import("./switcher.bench.ts")).switcherSuite(only),
};

const USAGE = `usage: npm run bench -- ${Object.keys(suites).join("|")} [--output json|table] [--write] [--short] [--only PART,…] [--traces FOLDER] [--rows FILE]`;

/** A suite that has no parts. */
function whole(measure: () => Promise<readonly Figure[]>): Suite {
  return async only => {
    askedParts(only, []);
    return measure();
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: "string", default: "table" },
      write: { type: "boolean", default: false },
      short: { type: "boolean", default: false },
      only: { type: "string" },
      traces: { type: "string" },
      rows: { type: "string" },
    },
  });
  const [suite = ""] = positionals;
  const measure = Object.hasOwn(suites, suite) ? suites[suite] : undefined;
  if (!measure || positionals.length !== 1 || !["table", "json"].includes(values.output)) throw new Error(USAGE);
  if (values.write && values.short) throw new Error("--short measures too little to be written down");
  const only = values.only?.split(",") ?? null;
  const figures = await measure(only, values.rows ?? null);
  const report: Report = { suite, machine: machine(), date: new Date().toISOString(), figures };
  if (values.write) writeBenchmarks(report, only === null);
  console.log(values.output === "json" ? JSON.stringify(report, null, 2) : reportTable(report));
  process.exitCode = figures.every(({ holds }) => holds) ? 0 : 1;
}

/** The figures of `npm run house` that have bars. */
function countHouse(): Figure[] {
  const program = join(packageFolder, "scripts/house/main.mjs");
  const printed = execFileSync(process.execPath, [program, "--output", "json"], { encoding: "utf8" });
  const { privateNames, productionPackages, linesOutsideTests } = JSON.parse(printed) as Record<string, number>;
  return [
    figure("house.privateNames", privateNames ?? null, {
      note: "places outside tests that reach into private parts of Node or a package, without those that the allow list gives a reason for",
    }),
    figure("house.productionPackages", productionPackages ?? null, {
      against: { linesOutsideTests: linesOutsideTests ?? 0 },
      note: "distinct packages of the lock file without development dependencies, on all platforms together",
    }),
  ];
}

function machine(): string {
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const model = cpus()[0]?.model.trim() || process.arch;
  return `${cpus().length} cores (${model}), ${memoryGiB} GiB, ${process.platform}, Node ${process.version}`;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
