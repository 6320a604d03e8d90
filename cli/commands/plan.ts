import { type Command, Option } from "commander";
import { MAX_RATE_RPS } from "../../domain/load.ts";
import type { Plan } from "../../domain/plan.ts";
import { POLICY_NAMES } from "../../domain/policy-name.ts";
import type { TimeLimit } from "../../optimizer/effort.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { EXIT } from "../exit-codes.ts";
import { collect, parseNumber, setOption, speedFactorOption, timeLimitOf, timeLimitOption } from "../options.ts";
import { checkPicture, writePicture } from "../picture-file.ts";
import type { PlanRequest } from "../plan/plan-request.ts";

interface PlanFlags extends PlanRequest {
  readonly output: "table" | "json";
  readonly picture?: string;
  readonly set: readonly string[];
  readonly speedFactor?: number;
  readonly timeLimit?: number;
}

const EXAMPLES = `
Examples:
  variscale plan pipelines/id-card --rps 8
  variscale plan pipelines/id-card --rps 8 --policy fa2Low --output json > plan.json
  variscale plan pipelines/id-card --rps 20 --current plan.json
  variscale plan pipelines/id-card --rps 8 --picture front.svg
  variscale plan pipelines/id-card --rps 8 --time-limit 50

It needs what \`variscale profile\` has measured. It ends with 0 where a plan meets every constraint, and with 3 otherwise. \`optimal\` of the
JSON says whether it is proven best, \`gap\` by how much a better one could be better at most.`;

export function addPlan(program: Command): void {
  program
    .command("plan <pipeline>")
    .description("choose variant, batch and replicas of every stage for a load, prove it and say what more would cost")
    .requiredOption("--rps <rate>", "requests a second", text => parseNumber(text, 0, MAX_RATE_RPS))
    .addOption(
      new Option(
        "--policy <policy>",
        "in the place of the file's; cocktail lets variants vote where `votes` of the file says so",
      ).choices(POLICY_NAMES),
    )
    .option("--current <file>", "what is served now: a plan, or a configuration, as JSON")
    .option("--pin <stage=variant>", "serve this variant; may be repeated", collect, [])
    .option("--exclude <stage=variant>", "do not serve this variant; may be repeated", collect, [])
    .option(
      "--vote <stage=correlation>",
      "its variants may vote, their errors correlated so (default: the file's, or 0.5); for planning only",
      collect,
      [],
    )
    .option(
      "--split <stage>",
      "its rows may be split over two variants; may be repeated; for planning only",
      collect,
      [],
    )
    .option("--max-cores <n>", "of all replicas together", text => parseNumber(text, 0.001, 1e6))
    .option("--machine-cores <n>", "all replicas share one machine with so many", text => parseNumber(text, 0.1, 1024))
    .option("--min-accuracy <share>", "0 to 1", text => parseNumber(text, 0, 1))
    .addOption(
      timeLimitOption(
        "end each search by then, with the best plan that was found and how far it may be from the best (default: a budget of work, the same on every machine)",
      ),
    )
    .option("--picture <file>", "draw accuracy against cost at this load: .svg or .html")
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(new Option("--output <format>", "of the plan").choices(["table", "json"]).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(runPlan);
}

async function runPlan(path: string, flags: PlanFlags): Promise<void> {
  const { readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { optimize } = await import("../../optimizer/optimize.ts");
  const { givenOf } = await import("../../optimizer/given.ts");
  const { unfitVariants } = await import("../../domain/memory-fit.ts");
  const { checkProfiled } = await import("../check-profiled.ts");
  const { writeResult } = await import("../write-result.ts");
  const { problemFor } = await import("../plan/plan-request.ts");
  const { set, speedFactor, picture, output, timeLimit } = flags;
  const limit = timeLimitOf(timeLimit);
  // Before anything is planned: a front takes many plans.
  if (picture !== undefined) checkPicture(picture, [".svg", ".html"]);
  const pipeline = readPipeline(path, speedFactor === undefined ? { set } : { set, speedFactor });
  checkProfiled(pipeline, path);
  const problem = problemFor(pipeline, flags);
  for (const { message } of unfitVariants(pipeline)) process.stderr.write(`variscale: ${message}\n`);
  const plan = optimize(problem, limit);
  const { current } = problem;
  const given = { ...givenOf(problem), ...(current && { current }) };
  const text = output === "json" ? JSON.stringify({ ...plan, given }, null, 2) : await tableOf(problem, plan, limit);
  try {
    if (picture !== undefined) writePicture(picture, await drawn(picture, problem, plan, limit));
  } finally {
    writeResult(text);
  }
  process.exitCode = plan.feasible ? 0 : EXIT.infeasible;
}

async function tableOf(problem: Problem, plan: Plan, limit: TimeLimit | null): Promise<string> {
  const { explain } = await import("../../optimizer/explain.ts");
  const { runnerUpText } = await import("../../explanation/plan-text.ts");
  const { formatExplanation, formatPlan } = await import("../plan/format-plan.ts");
  const explanation = formatExplanation(explain(problem, plan, limit));
  return [formatPlan(plan), runnerUpText(plan, plan.runnerUp), explanation].join("\n");
}

async function drawn(path: string, problem: Problem, plan: Plan, limit: TimeLimit | null): Promise<string> {
  const { paretoFront } = await import("../../optimizer/pareto.ts");
  const { paretoPicture } = await import("../plan/pareto-picture.ts");
  return paretoPicture(problem, plan, paretoFront(problem, limit), path.endsWith(".html"));
}
