import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { durationSeconds, parseNumber } from "../options.ts";
import { addChangeOptions, type ChangeFlags, ownName, TOKEN_HELP, tokenOf } from "../scaler/access-options.ts";

interface PinFlags extends ChangeFlags {
  readonly stage: string;
  readonly variant?: string;
  readonly batch?: number;
  readonly replicas?: number;
  readonly ttl: number;
}

interface UnpinFlags extends ChangeFlags {
  readonly stage?: string;
}

const PIN_HELP = `
Examples:
  variscale pin default/id-card --stage recognition --variant v6 --ttl 30m --reason "compare with v5"
  variscale pin --stage detection --replicas 4 --dry-run

Until it expires, what a pin fixes is given and not chosen: the plan keeps to it, the pipeline's SLO or not. A stage has one pin; a new
one takes the place of the one before. The change is in the scaler's audit log.

${TOKEN_HELP}`;

const UNPIN_HELP = `
Examples:
  variscale unpin default/id-card --stage recognition
  variscale unpin

${TOKEN_HELP}`;

export function addPin(program: Command): void {
  const pin = program
    .command("pin [pipeline]")
    .description(
      "fix variant, batch or replicas of a stage for a while; namespace/name (default: the scaler's only one)",
    )
    .requiredOption("--stage <stage>", "that is pinned")
    .option("--variant <variant>", "that it serves")
    .option("--batch <n>", "rows of a batch at most", text => parseNumber(text, 1, 1024, true))
    .option("--replicas <n>", "that it has", text => parseNumber(text, 0, 10_000, true))
    .option("--ttl <time>", "after which the pin expires, as 90s, 10m or 2d; 30d at most", parseTtl, 600);
  addChangeOptions(pin)
    .addOption(new Option("--output <format>", "of what changed").choices(["text", "json"]).default("text"))
    .addHelpText("after", PIN_HELP)
    .action(runPin);
  const unpin = program
    .command("unpin [pipeline]")
    .description("remove the pin of a stage, or all of a pipeline; namespace/name (default: the scaler's only one)")
    .option("--stage <stage>", "whose pin is removed (default: all stages')");
  addChangeOptions(unpin)
    .addOption(new Option("--output <format>", "of what changed").choices(["text", "json"]).default("text"))
    .addHelpText("after", UNPIN_HELP)
    .action(runUnpin);
}

async function runPin(name: string | undefined, flags: PinFlags): Promise<void> {
  const { VariscaleError } = await import("../../domain/errors.ts");
  const { pin } = await import("../scaler/changes.ts");
  const { pinnedText } = await import("../../explanation/change-text.ts");
  const { changeLines } = await import("../scaler/change-lines.ts");
  const { openScaler } = await import("../scaler/open-scaler.ts");
  const { fetchState } = await import("../top/pipeline-state.ts");
  const { writeResult } = await import("../write-result.ts");
  const { stage, variant = null, batch = null, replicas = null, ttl, dryRun } = flags;
  if (variant === null && batch === null && replicas === null)
    throw new VariscaleError("invalid_argument", "fix at least one of --variant, --batch and --replicas");
  const { client, key } = await openScaler(name, {
    url: flags.url,
    token: tokenOf(flags.tokenFile, process.env),
  });
  const request = { stage, variant, batch, replicas, ttlMs: ttl * 1000 };
  const pinned = await pin(client, key, request, originOf(flags));
  if (flags.output === "json") return writeResult(JSON.stringify({ ...key, ...pinned, dryRun }, null, 2));
  const lines = changeLines(key, dryRun);
  // The pin is set, whether or not the scaler then says its mode.
  const mode = await fetchState(client, key).then(
    state => state.mode,
    () => null,
  );
  const shadow = `${lines.of}: in mode shadow it changes the plan, and not what is served; \`variscale mode active\` does`;
  writeResult([...pinnedText(pinned, lines), ...(mode === "shadow" ? [shadow] : [])].join("\n"));
}

async function runUnpin(name: string | undefined, flags: UnpinFlags): Promise<void> {
  const { unpin } = await import("../scaler/changes.ts");
  const { unpinnedText } = await import("../../explanation/change-text.ts");
  const { changeLines } = await import("../scaler/change-lines.ts");
  const { openScaler } = await import("../scaler/open-scaler.ts");
  const { writeResult } = await import("../write-result.ts");
  const { dryRun } = flags;
  const { client, key } = await openScaler(name, {
    url: flags.url,
    token: tokenOf(flags.tokenFile, process.env),
  });
  const unpinned = await unpin(client, key, flags.stage ?? null, originOf(flags));
  writeResult(
    flags.output === "json"
      ? JSON.stringify({ ...key, ...unpinned, dryRun }, null, 2)
      : unpinnedText(unpinned, changeLines(key, dryRun)).join("\n"),
  );
}

function originOf({ by, reason, dryRun }: ChangeFlags): { by: string; reason: string; dryRun: boolean } {
  return { by: by ?? ownName(hostname()), reason, dryRun };
}

function parseTtl(text: string): number {
  const seconds = durationSeconds(text);
  if (seconds >= 1 && seconds <= 30 * 86_400) return Math.round(seconds);
  throw new InvalidArgumentError("must be a time from 1s to 30d, as 90s, 10m or 2d.");
}
