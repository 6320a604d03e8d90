import { type Command, Option } from "commander";
import { EXIT } from "../exit-codes.ts";
import { collect, parseNames, parseNumber } from "../options.ts";

interface InitFlags {
  readonly name?: string;
  readonly model: readonly string[];
  readonly fromV2?: readonly string[];
  readonly slo?: number;
  readonly measure: boolean;
  readonly force: boolean;
  readonly output: "text" | "json";
}

const HELP = `
Examples:
  variscale init shop
  variscale init shop --model light.onnx --model heavy.onnx --slo 200
  variscale init shop --model detect=find.onnx --model read=small.onnx --model read=large.onnx
  variscale init shop --from-v2 http://127.0.0.1:8000 --measure

It writes pipeline.yaml, index.mjs with code that works, copies of ONNX files in models/, and README.md with the next steps. Models that take
and give the same tensors become variants of one stage, unless a stage is named. On a terminal it asks for what is not said here.
Models of a server that can't be described, as they are not loaded or have no metadata, are left out by name. What is there already stays,
unless --force.`;

export function addInit(program: Command): void {
  program
    .command("init [folder]")
    .description(
      "write a pipeline file for models that there are: ONNX files, or those of an Open Inference Protocol server",
    )
    .option("--name <name>", "of the pipeline (default: that of the folder)")
    .option("--model <[stage=]file>", "an ONNX file; may be repeated", collect, [])
    .option(
      "--from-v2 <urls>",
      "servers whose models are asked for, or single models (…/v2/models/NAME); several with commas",
      parseNames,
    )
    .option("--slo <ms>", "within which a request should be answered (default: 500)", text =>
      parseNumber(text, 0.1, 1e7),
    )
    .option("--measure", "of --from-v2: send each model requests of zeros, to learn how long it takes", false)
    .option("--force", "write over what is there", false)
    .addOption(new Option("--output <format>", "of what was written").choices(["text", "json"]).default("text"))
    .addHelpText("after", HELP)
    .action(runInit);
}

const SLO_MS = 500;

async function runInit(folder: string | undefined, flags: InitFlags): Promise<void> {
  const { basename, resolve } = await import("node:path");
  const { VariscaleError } = await import("../../domain/errors.ts");
  const { name: nameSchema } = await import("../../domain/profile-schema.ts");
  const { nameFrom } = await import("../init/described-model.ts");
  const { initPipeline } = await import("../init/init.ts");
  const { writeResult } = await import("../write-result.ts");
  const { model, fromV2 = [], measure, force } = flags;
  const target = resolve(folder ?? ".");
  const isName = (text: string): boolean => nameSchema.safeParse(text).success;
  if (flags.name !== undefined && !isName(flags.name))
    throw new VariscaleError(
      "invalid_argument",
      `--name ${flags.name}: must be lower-case letters, digits, \`-\` or \`.\``,
    );
  const proposed = { name: flags.name ?? nameFrom(basename(target)), sloMs: flags.slo ?? SLO_MS };
  const isSaid = model.length > 0 || fromV2.length > 0;
  if (!isSaid && !(process.stdin.isTTY && process.stderr.isTTY))
    throw new VariscaleError(
      "invalid_argument",
      "name models with --model FILE, or a server with --from-v2 URL; questions are asked on a terminal alone",
    );
  const { askQuestions } = await import("../init/questions.ts");
  const answers = isSaid
    ? { ...proposed, models: model, urls: fromV2 }
    : await askQuestions({ input: process.stdin, output: process.stderr }, proposed, isName);
  if (answers === null) {
    process.stderr.write("\nvariscale: interrupted: nothing is written\n");
    process.exitCode = EXIT.interrupted;
    return;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const result = await initPipeline({ folder: target, ...answers, measure, force, say });
  const lines = [
    ...result.stages.map(({ name, variants }) => `stage ${name}: ${variants.join(", ")}`),
    `written to ${target}: ${result.files.join(", ")}`,
    `next: see ${resolve(target, "README.md")}`,
  ];
  writeResult(flags.output === "json" ? JSON.stringify(result, null, 2) : lines.join("\n"));
}
