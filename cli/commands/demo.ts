import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { VariscaleError } from "../../domain/errors.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { EXIT } from "../exit-codes.ts";
import { defaultStateFolder, findModelFolder } from "../folders.ts";
import { logLevelOption, parseNumber, parsePort } from "../options.ts";
import type { Up } from "../up/up.ts";

interface DemoFlags {
  readonly pipeline?: string;
  readonly short: boolean;
  readonly csv?: string;
  readonly column?: string;
  readonly seed: number;
  readonly cores?: number;
  readonly modelFolder?: string;
  readonly startToEnd: boolean;
  readonly folder: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly output: "table" | "json";
  readonly logLevel: LogLevel;
}

export function addDemo(program: Command): void {
  program
    .command("demo")
    .description(
      "play the main job on this machine: a load that rises and falls over a pipeline, against the best fixed variants",
    )
    .option(
      "--pipeline <name>",
      "one that comes with the package (id-card, video, audio, question-answering), or the folder of your own (default: id-card; video with --start-to-end)",
    )
    .option("--short", "at most 90 s instead of 8 minutes, against the best fixed variants for the peak alone", false)
    .option(
      "--csv <file>",
      "your own load, one rate a line: its course is played on the demo's time scale, its highest rate as the peak",
    )
    .option("--column <name>", "of the file: column of the rates, by its heading or number")
    .option("--seed <n>", "of the arrivals", text => parseNumber(text, 0, 2 ** 32 - 1, true), 1)
    .option("--cores <n>", "cores to plan with (default: all)", text => parseNumber(text, 0.1, 1024))
    .option("--model-folder <folder>", "model files (default: the cache of the pipeline)")
    .option(
      "--start-to-end",
      "everything, from making models to the technical report: 20 minutes at most on 2 cores, 3 with --short",
      false,
    )
    .option("--folder <folder>", "where --start-to-end writes", join(defaultStateFolder(process.env), "demo"))
    .option("--http-host <host>", "of the live page", "127.0.0.1")
    .option("--http-port <port>", "of the live page (default: one that is free)", parsePort, 0)
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addOption(logLevelOption("error"))
    .addHelpText(
      "after",
      "\nExamples:\n  variscale demo\n  variscale demo --pipeline video --short --output json\n\nThe last line says whether variscale was more than two standard errors below the best fixed variants. The exit code is 0 when the run\nshowed what it must: nothing lost, several variants of a stage served, lighter ones among them at high load, and heavier ones at low load than at high\nload (open where the machine did not keep its speed); then that nothing is lost while variants are loaded one after the other into memory for two of\nthree. It depends on neither accuracy nor speed.\n\n--start-to-end runs the steps of docs/demo.md as commands of their own, one after the other, and writes what they print, the pipeline with its\nmeasurements, pictures and the technical report into --folder; index.html there is about all of it. What comes after a step that failed still\nruns, and the exit code is 0 when none did.",
    )
    .action(flags => (flags.startToEnd ? runStartToEnd(flags) : runDemo(flags)));
}

async function runStartToEnd(flags: DemoFlags): Promise<void> {
  const { availableParallelism } = await import("node:os");
  const { onEndSignal } = await import("../../runtime/shutdown.ts");
  const { startToEnd } = await import("../demo/start-to-end.ts");
  // Cards that have drifted are drawn with development dependencies, which an installed package does not have.
  const { csv, column, modelFolder, output, short, pipeline = "video" } = flags;
  if (csv !== undefined || column !== undefined || modelFolder !== undefined)
    throw new VariscaleError("invalid_argument", "--start-to-end takes no --csv, --column and --model-folder");
  let isInterrupted = false;
  const onStart = (end: (signal: NodeJS.Signals) => void): void => {
    const interrupt = (signal: NodeJS.Signals): void => {
      isInterrupted = true;
      end(signal);
    };
    onEndSignal(interrupt);
    // Nobody reads any more, as with `| head`.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => interrupt("SIGTERM"));
  };
  const { folder, steps } = await startToEnd({
    pipeline,
    folder: resolve(flags.folder),
    short,
    machineCores: flags.cores ?? availableParallelism(),
    demoArgs: [
      ...["--http-host", flags.httpHost, "--http-port", String(flags.httpPort), "--seed", String(flags.seed)],
      ...(flags.cores === undefined ? [] : ["--cores", String(flags.cores)]),
    ],
    say: line => process.stderr.write(`${line}\n`),
    print: chunk => output === "table" && process.stdout.write(chunk),
    onStart,
  });
  if (output === "json") console.log(JSON.stringify({ folder, steps }, null, 2));
  else for (const { what, seconds, problem } of steps) console.log(`${problem ?? "ok"}  ${what} (${seconds} s)`);
  if (isInterrupted) process.exit(EXIT.interrupted);
  const failed = steps.filter(({ problem }) => problem !== null).map(({ name }) => name);
  if (failed.length > 0)
    throw new VariscaleError(
      "failed_precondition",
      `these steps failed: ${failed.join(", ")}; see ${join(folder, "index.html")}`,
    );
}

async function runDemo(flags: DemoFlags): Promise<void> {
  const { availableParallelism } = await import("node:os");
  const { createLogger } = await import("../../runtime/logger.ts");
  const { onEndSignal } = await import("../../runtime/shutdown.ts");
  const { pipelineFileAt } = await import("../../runtime/read-pipeline.ts");
  const { packageFolder } = await import("../../runtime/version.ts");
  const { playDemo } = await import("../demo/demo.ts");
  const { formatReport } = await import("../demo/report.ts");
  const { formatComparison } = await import("../demo/verdict.ts");
  // Progress goes to standard error, so that standard output is the result alone.
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  let running: Promise<Up> | null = null;
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return;
    interrupted = true;
    say("\ninterrupted: stopping what runs");
    // What could not be started has ended by itself.
    const closed = running?.then(
      up => up.close(),
      () => undefined,
    );
    Promise.resolve(closed).then(
      () => process.exit(EXIT.interrupted),
      () => process.exit(EXIT.failed),
    );
  };
  onEndSignal(interrupt);
  // Nobody reads any more, as with `| head`.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", interrupt);
  const { modelFolder, pipeline: chosen = "id-card" } = flags;
  // A name alone is one of ours; `./shop` is a folder.
  const pipelinePath = /^[\w-]+$/.test(chosen) ? join(packageFolder, "pipelines", chosen) : chosen;
  const result = await playDemo({
    pipelinePath,
    modelFolder: pipeline => findModelFolder(process.env, modelFolder, pipeline, pipelineFileAt(pipelinePath)),
    machineCores: flags.cores ?? availableParallelism(),
    short: flags.short,
    csv: flags.csv ?? null,
    column: flags.column ?? null,
    seed: flags.seed,
    page: { host: flags.httpHost, port: flags.httpPort },
    say,
    logger: createLogger("demo", flags.logLevel),
    logLevel: flags.logLevel,
    onStart: starting => {
      running = starting;
    },
  });
  if (flags.output === "json") console.log(JSON.stringify(result, null, 2));
  else {
    console.log(`\n${formatReport(result.rows)}\n`);
    for (const { name, passed, detail } of result.checks)
      console.log(`${passed === null ? "open  " : passed ? "ok    " : "FAILED"}  ${name}: ${detail}`);
    console.log(`\n${formatComparison(result.comparison)}`);
  }
  if (result.checks.some(({ passed }) => passed === false))
    throw new VariscaleError("failed_precondition", "the demo did not show what it must");
}
