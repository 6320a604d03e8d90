import { type Command, Option } from "commander";
import type { AgentFlags } from "../agent/agent-flags.ts";
import type { TuneFlags } from "../agent/tune.ts";
import { addLoadInput } from "../load-input.ts";
import { parseDuration, parseNumber, setOption, speedFactorOption } from "../options.ts";

const LIMITS_HELP = `
What may be proposed: weights of the objective, the quantile of the forecast, pins, or a configuration for the next interval.
The exact model checks every proposal: what would break a constraint is refused, and how far the plan would be from the optimum is told.`;

const ADVISE = `${LIMITS_HELP}

Examples:
  variscale agent advise pipelines/id-card --generate 1 --endpoint http://127.0.0.1:11434/v1 --model llama3.1
  variscale agent advise pipelines/id-card --url http://127.0.0.1:8080 --endpoint https://example.com/v1 --model m --key-file key

Environment:
  VARISCALE_AGENT_KEY  the endpoint's key, where there is no --key-file`;

const ACT = `${LIMITS_HELP}
What is accepted is put in force for a while (--ttl), then everything is as the pipeline file has it.

Example:
  variscale agent act pipelines/id-card --url http://127.0.0.1:8080 --rounds 10 --every 5m --endpoint http://127.0.0.1:11434/v1 --model llama3.1

Environment:
  VARISCALE_AGENT_KEY  the endpoint's key, where there is no --key-file
  VARISCALE_TOKEN      the scaler's token, where there is no --token-file`;

const REPLAY = `
Example:
  variscale agent replay session.jsonl

It needs neither the model nor the scaler. It ends with 0 where every verdict is as it was recorded, and with 1 otherwise.`;

const TUNE = `
No language model: settings are tried in the simulator under generated loads, half of them are dropped at a time, and what is left is scored
on loads that it has not seen, against the defaults, with the same seeds.

Examples:
  variscale agent tune pipelines/id-card
  variscale agent tune pipelines/id-card --least-quantile 0.5 --training 16 --unseen 16`;

const GROUP = `
Examples:
  variscale agent tune pipelines/id-card
  variscale agent advise pipelines/id-card --generate 1 --endpoint http://127.0.0.1:11434/v1 --model llama3.1 --transcript session.jsonl
  variscale agent replay session.jsonl

advise, replay and tune change nothing; act changes a running scaler for a while (--ttl). Each has its own --help.`;

export function addAgent(program: Command): void {
  const agent = program
    .command("agent")
    .description(
      "let a language model, or a search, tune the control loop: every proposal is checked by the exact model",
    )
    .addHelpText("after", GROUP);
  addModelOptions(agent.command("advise <pipeline>"))
    .description("have a model propose changes, and change nothing")
    .addHelpText("after", ADVISE)
    .action((path: string, flags: AgentFlags) => runModelCommand(path, flags, "advise"));
  addModelOptions(agent.command("act <pipeline>"))
    .description("have a model propose changes, and put what is accepted in force for a while")
    .option("--token-file <file>", "with the scaler's token, where it has one")
    .addHelpText("after", ACT)
    .action((path: string, flags: AgentFlags) => runModelCommand(path, flags, "act"));
  agent
    .command("replay <transcript>")
    .description("check the proposals of a transcript once more")
    .addOption(outputOption())
    .addHelpText("after", REPLAY)
    .action(runReplay);
  addLimitOptions(agent.command("tune <pipeline>"))
    .description("find settings that serve the objective better under generated loads, without a language model")
    .option("--rps <rate>", "mean of the loads (default: 0.3 of what the pipeline can carry)", text =>
      parseNumber(text, 0.1, 1e5),
    )
    .option("--training <n>", "loads to choose by", text => parseNumber(text, 2, 64, true), 8)
    .option("--unseen <n>", "loads to score on", text => parseNumber(text, 2, 64, true), 8)
    .option("--length <time>", "of each load", parseDuration, 600)
    .option("--jobs <n>", "runs at a time; default: one for each core", text => parseNumber(text, 1, 256, true))
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(outputOption())
    .addHelpText("after", TUNE)
    .action(runTune);
}

function addModelOptions(command: Command): Command {
  command
    .option("--url <url>", "of a running scaler's HTTP port; else the pipeline runs in the simulator, under a load")
    .option("--pipeline <name>", "namespace/name at the scaler (default: its only pipeline)")
    .requiredOption("--endpoint <url>", "base of an OpenAI-compatible API")
    .requiredOption("--model <name>", "of the endpoint")
    .option("--key-file <file>", "with the endpoint's key")
    .option("--calls <n>", "most calls of tools in a round", text => parseNumber(text, 1, 1000, true), 24)
    .option("--tokens <n>", "most tokens of the model in a round", text => parseNumber(text, 1, 1e8, true), 100_000)
    .option("--seconds <n>", "most seconds of a round", text => parseNumber(text, 1, 3600), 120)
    .option("--rounds <n>", "how often the model looks", text => parseNumber(text, 1, 10_000, true), 1)
    .option("--every <time>", "between two rounds", parseDuration, 60)
    .option("--ttl <time>", "what is accepted stays in force for so long", parseDuration, 600)
    .option("--transcript <file>", "write down everything, one JSON a line")
    .option("--length <time>", "in the simulator: of the load, up to its end", parseDuration, 900);
  return addLimitOptions(addLoadInput(command))
    .addOption(speedFactorOption())
    .addOption(setOption())
    .addOption(outputOption());
}

function addLimitOptions(command: Command): Command {
  return command
    .option(
      "--weight-factor <n>",
      "weights stay within this factor of the file's",
      text => parseNumber(text, 1, 1000),
      10,
    )
    .addOption(
      new Option("--least-quantile <q>", "of the forecast: lower ones plan for less than comes more often")
        .choices(["0.5", "0.9", "0.95", "0.99"])
        .default("0.95"),
    );
}

function outputOption(): Option {
  return new Option("--output <format>", "of the result").choices(["text", "json"]).default("text");
}

async function runModelCommand(path: string, flags: AgentFlags, mode: "advise" | "act"): Promise<void> {
  const { runAgent } = await import("../agent/run-agent.ts");
  await runAgent(path, flags, mode);
}

async function runReplay(path: string, { output }: { readonly output: "text" | "json" }): Promise<void> {
  const { replayFile } = await import("../agent/replay-file.ts");
  process.exitCode = replayFile(path, output);
}

async function runTune(path: string, flags: TuneFlags): Promise<void> {
  const { runTuning } = await import("../agent/tune.ts");
  await runTuning(path, flags);
}
