import { hostname } from "node:os";
import { Argument, type Command, Option } from "commander";
import { addChangeOptions, type ChangeFlags, ownName, TOKEN_HELP, tokenOf } from "../scaler/access-options.ts";

const HELP = `
Examples:
  variscale mode active default/id-card --reason "a week of shadow looked right"
  variscale mode shadow --dry-run

In mode shadow the scaler publishes what it would do and does nothing. The mode stays over restarts, until the pipeline file names
another one than before. The change is in the scaler's audit log.

${TOKEN_HELP}`;

export function addMode(program: Command): void {
  const mode = program
    .command("mode")
    .addArgument(new Argument("<mode>", "that the pipeline is to be in").choices(["shadow", "active"]))
    .argument("[pipeline]", "namespace/name (default: the scaler's only one)")
    .description("let a pipeline act on its plans, or only publish them");
  addChangeOptions(mode)
    .addOption(new Option("--output <format>", "of what changed").choices(["text", "json"]).default("text"))
    .addHelpText("after", HELP)
    .action(runMode);
}

async function runMode(wanted: "shadow" | "active", name: string | undefined, flags: ChangeFlags): Promise<void> {
  const { setMode } = await import("../scaler/changes.ts");
  const { modeText } = await import("../../explanation/change-text.ts");
  const { changeLines } = await import("../scaler/change-lines.ts");
  const { openScaler } = await import("../scaler/open-scaler.ts");
  const { writeResult } = await import("../write-result.ts");
  const { reason, dryRun } = flags;
  const { client, key } = await openScaler(name, {
    url: flags.url,
    token: tokenOf(flags.tokenFile, process.env),
  });
  const set = await setMode(client, key, wanted, { by: flags.by ?? ownName(hostname()), reason, dryRun });
  writeResult(
    flags.output === "json"
      ? JSON.stringify({ ...key, ...set, dryRun }, null, 2)
      : modeText(set, changeLines(key, dryRun)).join("\n"),
  );
}
