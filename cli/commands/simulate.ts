import { type Command, InvalidArgumentError, Option } from "commander";
import { POLICY_NAMES, type PolicyName } from "../../domain/policy-name.ts";
import { FAULT_KINDS, type Fault, type FaultKind } from "../../simulator/faults.ts";
import { addLoadInput, type LoadInputFlags } from "../load-input.ts";
import { durationSeconds, parseDuration, parseNames, parseNumber, setOption, speedFactorOption } from "../options.ts";
import type { CaseFlags } from "../simulate/cases.ts";
import { PLAIN_CASE } from "../simulate/plain-case.ts";

interface SimulateFlags extends LoadInputFlags, Omit<CaseFlags, "policies"> {
  readonly policy?: readonly string[];
  readonly jobs?: number;
  readonly set: readonly string[];
  readonly speedFactor?: number;
  readonly output: "table" | "json" | "html";
}

const EXAMPLES = `
Examples:
  variscale simulate pipelines/id-card --csv load.csv --policy default,ipa,reactive
  variscale simulate pipelines/id-card --generate 1 --kind flash --length 1h --seeds 5 --output html > page.html
  variscale simulate pipelines/id-card --csv load.csv --scale 2 --max-cores 16 --nodes 4x8 --pod-start 60s
  variscale simulate pipelines/id-card --csv load.csv --nodes 4x8 --fault scalerDown@5m+60s --fault nodeLost@10m+3m

The scaler's own control loop runs on a virtual clock, against a simulated gateway, switchers, KEDA, HPA and nodes that follow the rules
of the real ones; batches take what \`variscale profile\` has measured, with its spread. The last --length of the load is simulated; what
lies before it is the forecaster's past. The same seed gives the same result.

It ends with 0 when it is done and 2 when what it is given can't be used.`;

export function addSimulate(program: Command): void {
  const command = program
    .command("simulate <pipeline>")
    .description("what a pipeline would do under a load: accuracy, cores, latency and violations, by policy");
  addLoadInput(command)
    .option(
      "--policy <names>",
      `several with commas: ${POLICY_NAMES.join(", ")}; default: the file's. One variant serves a stage under each of them, cocktail as well: votes are not simulated`,
      parsePolicies,
    )
    .addOption(
      new Option(
        "--forecast <source>",
        "what plans are made for; default: variscale, and the load itself for oracle",
      ).choices(["variscale", "reactive", "recentPeak", "oracle"]),
    )
    .option(
      "--train",
      "a network of the pipeline's own on what lies before, as the scaler does after a day of load: takes a minute or two",
      false,
    )
    .option("--length <time>", "how much of the load is simulated", parseDuration, 1200)
    .option("--end <time>", "how long before the end of the load that ends, as 36h", parseDuration, PLAIN_CASE.end)
    .option("--warm-up <time>", "at the start, not counted", parseDuration, PLAIN_CASE.warmUp)
    .option(
      "--scale <factor>",
      "of the load; below 1 each request stays by chance",
      text => parseNumber(text, 0.0001, 1e4),
      1,
    )
    .option("--seeds <n>", "runs of each policy", text => parseNumber(text, 1, 1000, true), PLAIN_CASE.seeds)
    .option("--seed <n>", "of the first run", text => parseNumber(text, 0, 2 ** 31, true), PLAIN_CASE.seed)
    .option("--slo <ms>", "in the place of the file's", text => parseNumber(text, 0.1, 1e7))
    .option("--timeout <ms>", "after which requests are given up; default: the SLO", text =>
      parseNumber(text, 0.1, 1e7),
    )
    .option("--max-cores <n>", "of all replicas together", text => parseNumber(text, 0.001, 1e6))
    .option("--nodes <count>x<cores>", "that pods must find room on; default: there is always room", parseNodes)
    .option("--pod-start <time>", "from scheduling a pod to its process", parseDuration, PLAIN_CASE.podStart)
    .option("--sync <time>", "between two looks of the HPA", parseDuration, PLAIN_CASE.sync)
    .option("--tolerance <share>", "of the HPA", text => parseNumber(text, 0, 0.9), PLAIN_CASE.tolerance)
    .option("--kill-every <time>", "so often a ready pod dies", parseDuration)
    .option(
      "--fault <kind>@<start>+<time>",
      `what fails for a while, one of ${FAULT_KINDS.join(", ")}; may be repeated`,
      (text: string, before: readonly Fault[]) => [...before, parseFault(text)],
      [],
    )
    .option("--window <time>", "of the timeline", parseDuration, PLAIN_CASE.window)
    .option("--jobs <n>", "runs at a time; default: one for each core", text => parseNumber(text, 1, 256, true))
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(new Option("--output <format>", "of the result").choices(["table", "json", "html"]).default("table"))
    .addHelpText("after", EXAMPLES)
    .action(runSimulate);
}

async function runSimulate(path: string, flags: SimulateFlags): Promise<void> {
  const { readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { readLoadInput } = await import("../load-input.ts");
  const { runAll } = await import("../simulate/run-all.ts");
  const { casesFor } = await import("../simulate/cases.ts");
  const { sayUnfit } = await import("../../domain/memory-fit.ts");
  const { votesLeftOut } = await import("../simulate/votes-left-out.ts");
  const { measuredPart } = await import("../simulate/measured-part.ts");
  const { writeResult } = await import("../write-result.ts");
  const { openProgress } = await import("../progress.ts");
  const { set, speedFactor } = flags;
  const { pipeline, leftOut } = measuredPart(
    readPipeline(path, speedFactor === undefined ? { set } : { set, speedFactor }),
    path,
  );
  if (leftOut.length > 0) process.stderr.write(`left out, for they were not measured: ${leftOut.join(", ")}\n`);
  sayUnfit(pipeline, line => process.stderr.write(`${line}\n`));
  const unknown = pipeline.stages.flatMap(({ name, variants }) =>
    variants.flatMap(variant => {
      const isMeasured = pipeline.accuracy.combinations.some(({ variants: all }) => all[name] === variant.name);
      return variant.accuracy === null && !isMeasured ? [`${name}/${variant.name}`] : [];
    }),
  );
  if (unknown.length > 0)
    process.stderr.write(
      `accuracy was not measured of ${unknown.join(", ")}: each counts as always right, and no accuracy is shown\n`,
    );
  const policies = (flags.policy as PolicyName[] | undefined) ?? null;
  const votes = votesLeftOut(pipeline, policies);
  if (votes !== null) process.stderr.write(`${votes}\n`);
  const load = await readLoadInput(flags, process.env, line => process.stderr.write(`${line}\n`));
  const cases = await casesFor(pipeline, load, { ...flags, policies });
  const progress = openProgress("simulated", process.stderr);
  const results = await runAll(cases, flags.jobs ?? null, progress.show);
  progress.close();
  const report = await import("../simulate/report.ts");
  const page = { pipeline: pipeline.key, load: load.name, results, isAccuracyKnown: unknown.length === 0 };
  if (flags.output === "json") writeResult(report.simulationJson(page));
  else if (flags.output === "html") writeResult((await import("../simulate/html-report.ts")).simulationHtml(page));
  else writeResult(report.simulationTable(page));
}

function parsePolicies(text: string): readonly string[] {
  const names = parseNames(text);
  const unknown = names.find(name => !(POLICY_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is none of ${POLICY_NAMES.join(", ")}.`);
  return names;
}

function parseFault(text: string): Fault {
  const [, kind = "", start = "", time = ""] = /^(\w+)@([^+]+)\+(.+)$/.exec(text) ?? [];
  const [fromSecond, seconds] = [durationSeconds(start), durationSeconds(time)];
  if (!(FAULT_KINDS as readonly string[]).includes(kind) || !(fromSecond >= 0 && seconds > 0))
    throw new InvalidArgumentError(
      `must be one of ${FAULT_KINDS.join(", ")}, when it begins and how long it lasts, as in scalerDown@5m+60s.`,
    );
  return { kind: kind as FaultKind, fromSecond, seconds };
}

function parseNodes(text: string): { readonly count: number; readonly cores: number } {
  const [count = "", cores = "", ...more] = text.split("x");
  if (more.length > 0 || cores === "")
    throw new InvalidArgumentError("must be a number of nodes and their cores, as in 4x8.");
  return { count: parseNumber(count, 1, 10_000, true), cores: parseNumber(cores, 0.1, 1024) };
}
