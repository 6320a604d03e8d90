import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { collect } from "../options.ts";
import { DEFAULT_URL, READER_TOKEN_HELP, tokenOf } from "../scaler/access-options.ts";

interface ExplainFlags {
  readonly url?: string;
  readonly decision?: string;
  readonly pipeline?: string;
  readonly set: readonly string[];
  readonly output: "text" | "json";
}

const EXAMPLES = `
Examples:
  variscale explain
  variscale explain default/id-card --url http://127.0.0.1:8080 --decision d-1-7
  variscale explain plan.json --pipeline pipelines/id-card

With --pipeline it also says what a little more or less of accuracy, time, load and cores would cost.

${READER_TOKEN_HELP}`;

export function addExplain(program: Command): void {
  program
    .command("explain [what]")
    .description("say why a decision of a running scaler, or a plan in a file, is as it is")
    .option(
      "--url <url>",
      `of the scaler's HTTP API; [what] is then namespace/name, and without it its only pipeline (default: ${DEFAULT_URL}, where there is no plan's file)`,
    )
    .option("--decision <id>", "which one (default: the newest)")
    .option("--pipeline <pipeline>", "the pipeline file that it was made with")
    .option("--set <path=value>", "replace a field of the pipeline file; may be repeated", collect, [])
    .addOption(new Option("--output <format>", "of the explanation").choices(["text", "json"]).default("text"))
    .addHelpText("after", EXAMPLES)
    .action(runExplain);
}

async function runExplain(what: string | undefined, flags: ExplainFlags): Promise<void> {
  const { VariscaleError } = await import("../../domain/errors.ts");
  const { readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { readPlan } = await import("../plan/plan-request.ts");
  const { fetchDecision, decisionOfPlan } = await import("../plan/decision.ts");
  const { explainDecision } = await import("../../explanation/explain-decision.ts");
  const { writeResult } = await import("../write-result.ts");
  const { formatDecision } = await import("../plan/format-decision.ts");
  const isFile = what !== undefined && flags.url === undefined && flags.decision === undefined;
  if (isFile && !existsSync(what))
    throw new VariscaleError(
      "not_found",
      `there is no file ${what} with a plan. Is it a pipeline of a running scaler? Then name that with --url, as in --url ${DEFAULT_URL}.`,
    );
  const decision = isFile
    ? decisionOfPlan(readPlan(what))
    : await fetchDecision({
        url: flags.url ?? DEFAULT_URL,
        token: tokenOf(undefined, process.env),
        pipeline: what ?? null,
        decisionId: flags.decision ?? null,
      });
  const pipeline = flags.pipeline === undefined ? null : readPipeline(flags.pipeline, { set: flags.set });
  const explanation = pipeline && explainDecision(pipeline, decision);
  const text =
    flags.output === "json"
      ? JSON.stringify({ ...decision, explanation }, null, 2)
      : formatDecision(decision, explanation);
  writeResult(text);
}
