import { type Command, Option } from "commander";
import { VariscaleError } from "../../domain/errors.ts";
import { POLICY_NAMES, type PolicyName } from "../../domain/policy-name.ts";
import type { FleetPlan } from "../../optimizer/fleet-plan.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { EXIT } from "../exit-codes.ts";
import { collect, parseNumber, setOption, speedFactorOption, timeLimitOf, timeLimitOption } from "../options.ts";

interface FleetFlags {
  readonly policy?: PolicyName;
  readonly maxCores?: number;
  readonly maxMemory?: number;
  readonly node: readonly string[];
  readonly share?: string;
  readonly timeLimit?: number;
  readonly speedFactor?: number;
  readonly set: readonly string[];
  readonly output: "table" | "json";
}

const EXAMPLES = `
Examples:
  variscale fleet pipelines/id-card=8 ./shop=20 --max-cores 12
  variscale fleet pipelines/id-card=8 ./shop=20 --node 4,16384,3 --output json
  variscale fleet pipelines/id-card=8 ./shop=20 --share recognise --max-cores 12
  variscale fleet pipelines/id-card=8 ./shop=20 --max-cores 12 --time-limit 500

It needs what \`variscale profile\` has measured. It ends with 0 where all plans meet every constraint and fit together, and with 3
otherwise. Where no plans for all loads are found that fit together, the same share of every load is planned for. \`optimal\` of the JSON says
whether the plans are proven best together, \`gap\` by how much others could be better at most.

--share: the stage of this name is one and the same in all files that have it, with the same shape, replicas and models; its replicas
serve the rows of all, and count once.`;

export function addFleet(program: Command): void {
  program
    .command("fleet <pipeline=rps...>")
    .description(
      "plan for several pipelines that share cores, memory or nodes, with a bound on what better plans could gain",
    )
    .addOption(new Option("--policy <policy>", "in the place of the files'").choices(POLICY_NAMES))
    .option("--max-cores <n>", "of all replicas together", text => parseNumber(text, 0.001, 1e6))
    .option("--max-memory <MiB>", "of all replicas together", text => parseNumber(text, 1, 1e9))
    .option("--node <cores,MiB[,count]>", "nodes that replicas must find room on; may be repeated", collect, [])
    .option("--share <stage>", "which pipelines have in common")
    .addOption(
      timeLimitOption(
        "end all searches together by then, with the best plans that were found and how far they may be from the best (default: a budget of work, the same on every machine)",
      ),
    )
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(new Option("--output <format>", "of the plans").choices(["table", "json"]).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(runFleet);
}

async function runFleet(members: readonly string[], flags: FleetFlags): Promise<void> {
  const { readFleet } = await import("../plan/fleet-request.ts");
  const { writeResult } = await import("../write-result.ts");
  const { set, speedFactor, policy, output } = flags;
  const problems = readFleet(members, policy, speedFactor === undefined ? { set } : { set, speedFactor });
  const keys = problems.map(({ pipeline }) => pipeline.key);
  const names = keys.map(key => key.name);
  const { fleet, text } = await planFleet(problems, names, flags);
  if (output === "json") {
    const plans = fleet.plans.map((plan, i) => ({ pipeline: keys[i], ...plan }));
    writeResult(JSON.stringify({ ...fleet, plans }, null, 2));
  } else writeResult(text);
  process.exitCode = fleet.feasible ? 0 : EXIT.infeasible;
}

interface Planned {
  readonly fleet: FleetPlan;
  readonly text: string;
}

async function planFleet(problems: readonly Problem[], names: readonly string[], flags: FleetFlags): Promise<Planned> {
  const { optimizeFleet } = await import("../../optimizer/fleet.ts");
  const { optimizeShared } = await import("../../optimizer/shared-stage.ts");
  const { readNodes, readShared } = await import("../plan/fleet-request.ts");
  const { formatFleet, formatShared } = await import("../plan/format-fleet.ts");
  const { maxCores = null, maxMemory = null, node, share, timeLimit } = flags;
  const capacity = { cores: maxCores, memoryMiB: maxMemory, nodes: node.length === 0 ? null : readNodes(node) };
  const limit = timeLimitOf(timeLimit);
  if (share === undefined) {
    const fleet = optimizeFleet(problems, capacity, limit);
    return { fleet, text: formatFleet(fleet, names) };
  }
  const fleet = optimizeShared(problems, readShared(problems, share), capacity, limit);
  if (!fleet) throw new VariscaleError("invalid_argument", `--share ${share}: no variant of it may have a replica`);
  return { fleet, text: formatShared(fleet, names, share) };
}
