import { existsSync, readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageVersion } from "../../runtime/version.ts";
import { makeFolder } from "../make-folder.ts";
import { pathOfPipeline } from "../own-pipelines.ts";
import { writeOutput } from "./output-file.ts";
import { type StepResult, StepRunner } from "./run-steps.ts";
import { type StartToEndOptions, startToEndSteps } from "./start-to-end-steps.ts";
import { summaryPage } from "./summary-page.ts";

/** By steps: of an earlier run, nothing may pass for this one's. */
const WRITTEN = [
  "low-load.svg",
  "high-load.svg",
  "report.html",
  "report.pdf",
  "pipeline/measurements.json",
  "pipeline/drift.json",
];

export interface StartToEndCommand extends StartToEndOptions {
  readonly say: (line: string) => void;
  readonly print: (chunk: Buffer) => void;
  /** Given what ends the run before its end. */
  readonly onStart: (stop: (signal: NodeJS.Signals) => void) => void;
}

export interface StartToEndResult {
  readonly folder: string;
  readonly steps: readonly StepResult[];
}

/**
 * Runs everything, and writes what came of it into the folder: what each step printed, the pipeline with its measurements, pictures,
 * the technical report, and `index.html` about the run.
 *
 * @throws VariscaleError for a pipeline that can't be used, or a folder that can't be written to, also later on; what else fails later
 * is a result.
 */
export async function startToEnd(command: StartToEndCommand): Promise<StartToEndResult> {
  const { folder, pipeline, say } = command;
  readPipeline(pathOfPipeline(pipeline));
  try {
    makeFolder(folder);
    for (const name of WRITTEN) rmSync(join(folder, name), { force: true });
  } catch (error) {
    const message = `can't write into ${folder} (${VariscaleError.from(error).message}). Name another one with --folder.`;
    throw new VariscaleError("failed_precondition", message, { cause: error });
  }
  writeOutput(join(folder, "index.html"), "");
  const runner = new StepRunner(command);
  command.onStart(signal => runner.stop(signal));
  const steps = await runner.run(startToEndSteps(command));
  const isThere = (name: string): boolean => existsSync(join(folder, name));
  const page = summaryPage({
    version: packageVersion,
    machine: `${command.machineCores} × ${cpus()[0]?.model ?? "an unknown processor"}`,
    results: steps,
    printed: ({ output }) => readFileSync(join(folder, output), "utf8"),
    pictures: ["low-load.svg", "high-load.svg"].filter(isThere),
    report: isThere("report.html") ? "report.html" : null,
  });
  writeOutput(join(folder, "index.html"), page);
  say(`\nwritten: ${join(folder, "index.html")}`);
  return { folder, steps };
}
