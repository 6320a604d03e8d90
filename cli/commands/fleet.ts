import { type Command, Option } from "commander";
import { POLICY_NAMES, type PolicyName } from "../../domain/policy-name.ts";
import { collect, parseNumber, setOption, speedFactorOption } from "../options.ts";
import { INFEASIBLE } from "./plan.ts";

interface FleetFlags {
  readonly policy?: PolicyName;
  readonly maxCores?: number;
  readonly maxMemory?: number;
  readonly node: readonly string[];
  readonly speedFactor?: number;
  readonly set: readonly string[];
  readonly output: "table" | "json";
}

const EXAMPLES = `
Example:
  variscale fleet pipelines/id-card=8 ./shop=20 --max-cores 12
  variscale fleet pipelines/id-card=8 ./shop=20 --node 4,16384,3 --output json

It needs what \`variscale profile\` has measured. It ends with 0 where all plans meet every constraint and fit together, and with 3
otherwise. Where no plans for all loads are found that fit together, the same share of every load is planned for.`;

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
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(new Option("--output <format>", "of the plans").choices(["table", "json"]).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(runFleet);
}

async function runFleet(members: readonly string[], flags: FleetFlags): Promise<void> {
  const { optimizeFleet } = await import("../../optimizer/fleet.ts");
  const { readFleet, readNodes } = await import("../plan/fleet-request.ts");
  const { set, speedFactor, policy, output } = flags;
  const problems = readFleet(members, policy, speedFactor === undefined ? { set } : { set, speedFactor });
  const nodes = flags.node.length === 0 ? null : readNodes(flags.node);
  const fleet = optimizeFleet(problems, { cores: flags.maxCores ?? null, memoryMiB: flags.maxMemory ?? null, nodes });
  const keys = problems.map(({ pipeline }) => pipeline.key);
  if (output === "json") {
    const plans = fleet.plans.map((plan, i) => ({ pipeline: keys[i], ...plan }));
    process.stdout.write(`${JSON.stringify({ ...fleet, plans }, null, 2)}\n`);
  } else {
    const { formatFleet } = await import("../plan/format-plan.ts");
    process.stdout.write(
      `${formatFleet(
        fleet,
        keys.map(key => key.name),
      )}\n`,
    );
  }
  process.exitCode = fleet.feasible ? 0 : INFEASIBLE;
}
