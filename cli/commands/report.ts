import { type Command, Option } from "commander";

interface ReportFlags {
  readonly folder: string;
  readonly format: "all" | "html" | "pdf";
}

const EXAMPLES = `
Examples:
  variscale report
  variscale report --folder /tmp/report --format html
  VARISCALE_CHROMIUM=/opt/chromium/chrome variscale report --format pdf

It puts the documents of docs/report, forecasting and benchmarks together as they are in the package: figures are measured by other commands,
which each document names. It needs no network. The PDF is printed by a Chromium; without one it says so and writes the page alone.

It ends with 0 when what was asked for is written, and with 1 otherwise; without a Chromium, --format pdf is not.`;

export function addReport(program: Command): void {
  program
    .command("report")
    .description("write the technical report: one page, and a PDF")
    .option("--folder <folder>", "where report.html and report.pdf go", "report")
    .addOption(new Option("--format <format>", "what is written").choices(["all", "html", "pdf"]).default("all"))
    .addHelpText("after", EXAMPLES)
    .action(runReport);
}

async function runReport({ folder, format }: ReportFlags): Promise<void> {
  const { writeReport } = await import("../report/write-report.ts");
  await writeReport({ folder, format, env: process.env, say: line => process.stderr.write(`${line}\n`) });
}
