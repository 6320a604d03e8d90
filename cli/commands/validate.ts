import { type Command, Option } from "commander";
import { EXIT } from "../exit-codes.ts";
import { setOption } from "../options.ts";

interface ValidateFlags {
  readonly modelFolder?: string;
  readonly set: readonly string[];
  readonly output: "table" | "json";
}

const HELP = `
Examples:
  variscale validate ./shop
  variscale validate ./shop --output json

It looks at the file, at the sha256 of every model file, at models against the contracts of their stages, at the code, at memory, and at whether the
measurements are of these variants. It measures nothing and starts nothing, and no other server loads a model for it: a \`remote\` variant that is not ready
is compared by what its server says of it. It ends with 0 where all is right, and with 1 where something is not.

--output json: {"pipeline", "modelFolder", "isValid", "checks": [{"check", "problems", "notes"}]}`;

export function addValidate(program: Command): void {
  program
    .command("validate [pipeline]")
    .description(
      "say what is wrong with a pipeline before it is measured or served: file, models, contracts, code, memory",
    )
    .option(
      "--model-folder <folder>",
      "model files (default: `models` beside the pipeline file, else the cache of the pipeline)",
    )
    .addOption(setOption())
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json"]).default("table"))
    .addHelpText("after", HELP)
    .action(runValidate);
}

async function runValidate(path: string | undefined, flags: ValidateFlags): Promise<void> {
  const { validatePipeline } = await import("../validate/validate-pipeline.ts");
  const { writeResult } = await import("../write-result.ts");
  const { set, modelFolder, output } = flags;
  const result = await validatePipeline({ path: path ?? ".", set, ...(modelFolder !== undefined && { modelFolder }) });
  const lines = result.checks.flatMap(({ check, problems, notes }) => [
    `${problems.length === 0 ? "ok   " : "wrong"}  ${check}`,
    ...problems.map(problem => `         ${problem}`),
    ...notes.map(note => `         (${note})`),
  ]);
  writeResult(output === "json" ? JSON.stringify(result, null, 2) : lines.join("\n"));
  process.exitCode = result.isValid ? 0 : EXIT.failed;
}
