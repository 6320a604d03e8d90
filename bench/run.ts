/** `npm run bench -- SUITE`: measures a suite's figures and holds them against bench/bars.json; `--help` says more. Exits with 1 when one does not hold. */
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { passes } from "./figure.ts";
import { type Report, reportTable } from "./report.ts";
import { formatHelp, SUITES } from "./suites.ts";
import { writeBenchmarks } from "./write-benchmarks.ts";

// As the command line does: onnxruntime must not report to its maker.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h", default: false },
      output: { type: "string", default: "table" },
      write: { type: "boolean", default: false },
      short: { type: "boolean", default: false },
      "one-seed": { type: "boolean", default: false },
      "report-bars": { type: "boolean", default: false },
      only: { type: "string" },
      traces: { type: "string" },
      rows: { type: "string" },
    },
  });
  const [name = ""] = positionals;
  const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
  if (values.help && (suite || positionals.length === 0)) {
    console.log(formatHelp(suite ? name : null));
    return;
  }
  if (!suite || positionals.length !== 1)
    throw new Error(`give one suite: ${Object.keys(SUITES).join(", ")}; \`npm run bench -- --help\` says more`);
  if (!["table", "json"].includes(values.output)) throw new Error(`--output: json or table, not \`${values.output}\``);
  for (const option of ["short", "one-seed"] as const)
    if (values.write && values[option]) throw new Error(`--${option} measures too little to be written down`);
  const only = values.only?.split(",") ?? null;
  const { rows = null, traces = null, short: isShort, "one-seed": isOneSeed } = values;
  const figures = await suite.measure({ only, rows, traces, isShort, isOneSeed });
  const report: Report = { suite: name, machine: machine(), date: new Date().toISOString(), figures };
  if (values.write) writeBenchmarks(report, only === null);
  console.log(values.output === "json" ? JSON.stringify(report, null, 2) : reportTable(report));
  process.exitCode = figures.every(figure => passes(figure, values["report-bars"])) ? 0 : 1;
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
