import { type Command, InvalidArgumentError, Option } from "commander";
import { durationSeconds } from "../options.ts";
import { type AccessFlags, addUrl, READER_TOKEN_HELP, tokenOf } from "../scaler/access-options.ts";
import { SORT_ORDERS, type SortOrder } from "../top/choose-states.ts";

interface TopFlags extends Pick<AccessFlags, "url"> {
  readonly once: boolean;
  readonly every: number;
  readonly namespace?: string;
  readonly sort: SortOrder;
  readonly problems: boolean;
  readonly output: "table" | "json";
}

const HELP = `
Examples:
  variscale top
  variscale top default/id-card --url http://scaler:8080
  variscale top --once --sort latency --problems
  variscale top --once --output json | jq '.pipelines[].loadRps'

load      offered entry requests a second, in the last second
forecast  0.95 quantile of the highest second within the planning horizon
accuracy  predicted of the variants that ready replicas serve; planned: of those that the plan has
p99       of the last minute, as the gateway measured it
cores     of the plan's replicas
serves    ready replicas by the variant that they serve now, beside variant, batch and replicas of the plan
ready     of the replicas that are asked for now

On a terminal it goes on until q or Ctrl-C; s changes the order. Where the table is wider than the terminal it becomes two, of pipelines and of
stages; what goes into a file or a pipe is never cut.

${READER_TOKEN_HELP}`;

export function addTop(program: Command): void {
  const top = program
    .command("top [pipelines...]")
    .description(
      "what the pipelines of a running scaler are doing: load, forecast, accuracy, latency, cores, replicas",
    );
  addUrl(top)
    .option("--once", "print it once and end (default where the output is no terminal)", false)
    .option("--every <time>", "between two looks, as 2s", parseEvery, 2)
    .option("--namespace <namespace>", "pipelines of this one alone")
    .addOption(
      new Option(
        "--sort <order>",
        "by name, highest load, most cores, lowest accuracy, or p99 nearest to the SLO first",
      )
        .choices(SORT_ORDERS)
        .default("pipeline"),
    )
    .option("--problems", "only pipelines where something is not as it should be", false)
    .addOption(new Option("--output <format>", "json is printed once").choices(["table", "json"]).default("table"))
    .addHelpText("after", HELP)
    .action(runTop);
}

async function runTop(names: readonly string[], flags: TopFlags): Promise<void> {
  const { ScalerClient, parseKey } = await import("../scaler/scaler-client.ts");
  const { fetchStates } = await import("../top/fetch-states.ts");
  const client = new ScalerClient({ url: flags.url, token: tokenOf(undefined, process.env) });
  const query = { pipelines: names.map(parseKey), namespace: flags.namespace ?? null };
  const { sort: order, problems: problemsOnly, output } = flags;
  const fetch = () => fetchStates(client, query);
  if (flags.once || output === "json" || !process.stdout.isTTY) {
    const { chooseStates } = await import("../top/choose-states.ts");
    const { formatStates } = await import("../top/format-states.ts");
    const { writeResult } = await import("../write-result.ts");
    const states = chooseStates(await fetch(), { order, problemsOnly });
    writeResult(
      output === "json"
        ? JSON.stringify({ pipelines: states }, null, 2)
        : formatStates(states, process.stdout.columns || null),
    );
    return;
  }
  const { watchStates } = await import("../top/watch-states.ts");
  await watchStates({ terminal: process.stdout, fetch, everyMs: flags.every * 1000, order, problemsOnly, keys });
  // An answer that is still to come holds nothing up.
  process.exit();
}

/** Keys as they are pressed; Ctrl-C is one of them where the input is a terminal, and a signal elsewhere. */
function keys(onKey: (key: string) => void): () => void {
  const { stdin } = process;
  const onData = (chunk: Buffer): void => {
    for (const key of chunk.toString("utf8")) onKey(key);
  };
  const onSignal = (): void => onKey("\u0003");
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  if (stdin.isTTY) stdin.setRawMode(true).on("data", onData).resume();
  return () => {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    if (stdin.isTTY) stdin.setRawMode(false).off("data", onData).pause();
  };
}

function parseEvery(text: string): number {
  const seconds = durationSeconds(text);
  if (seconds >= 1 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError("must be a time from 1s to 1h.");
}
