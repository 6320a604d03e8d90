import { type Command, Option } from "commander";

interface ReportFlags {
  readonly folder: string;
  readonly format: "all" | "html" | "pdf";
  readonly output: "text" | "json";
}

const EXAMPLES = `
Examples:
  variscale report
  variscale report --folder /tmp/report --format html
  variscale report --format html --output json | jq -r '.written[]'
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
    .addOption(new Option("--output <format>", "of what was written").choices(["text", "json"]).default("text"))
    .addHelpText("after", EXAMPLES)
    .action(runReport);
}

async function runReport({ folder, format, output }: ReportFlags): Promise<void> {
  const { writeReport } = await import("../report/write-report.ts");
  const { writeResult } = await import("../write-result.ts");
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = await writeReport({ folder, format, env: process.env, say });
  writeResult(
    output === "json" ? JSON.stringify(report, null, 2) : report.written.map(file => `written: ${file}`).join("\n"),
  );
}
