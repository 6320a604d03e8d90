import type { Spent } from "../../agent/budget.ts";
import { runModel } from "../../agent/llm-loop.ts";
import { AgentSession, type Proposal } from "../../agent/session.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { openModel } from "../../predictor/network/open-model.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { fetchBounded } from "../fetch-json.ts";
import { tokenOf } from "../scaler/access-options.ts";
import { writeResult } from "../write-result.ts";
import { type AgentFlags, checkEndpoint, limitsOf } from "./agent-flags.ts";
import { formatRound } from "./format-agent.ts";
import { openPort } from "./open-port.ts";
import { openTranscript } from "./transcript-file.ts";

/** What one look of the model came to. */
export interface Round {
  readonly round: number;
  readonly because: string;
  readonly spent: Spent;
  readonly proposals: readonly Proposal[];
}

/** Round after round: the model looks at the pipeline and proposes; what is accepted is told, or put in force. */
export async function runAgent(path: string, flags: AgentFlags, mode: "advise" | "act"): Promise<void> {
  const key = tokenOf(flags.keyFile, process.env, { option: "--key-file", variable: "VARISCALE_AGENT_KEY" });
  checkEndpoint(flags.endpoint, key);
  const { set, speedFactor } = flags;
  const pipeline = readPipeline(path, speedFactor === undefined ? { set } : { set, speedFactor });
  const limits = limitsOf(flags);
  const budget = { calls: flags.calls, tokens: flags.tokens, seconds: flags.seconds };
  const opened = await openPort(pipeline, path, flags, process.env, line => process.stderr.write(`${line}\n`));
  const bundled = await openModel(readBundledModel());
  const transcript = openTranscript(flags.transcript ?? null, key);
  const ended = new AbortController();
  const end = (): void => ended.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  const rounds: Round[] = [];
  try {
    const at = new Date().toISOString();
    transcript.write({ kind: "start", version: 1, at, mode, model: flags.model, limits, budget });
    for (let round = 1; round <= flags.rounds && !ended.signal.aborted; round++) {
      if (round > 1 && !(await opened.pass(flags.every, ended.signal))) break;
      const session = new AgentSession({
        port: opened.port,
        mode,
        limits,
        budget,
        ttlMs: flags.ttl * 1000,
        model: bundled,
        key,
        clockMs: () => performance.now(),
        write: transcript.write,
      });
      const { endpoint, model, seconds } = flags;
      const because = await runModel(session, {
        endpoint,
        model,
        key,
        mode,
        limits,
        seconds,
        fetch: fetchBounded,
        signal: ended.signal,
      });
      const { spent, proposals } = session;
      transcript.write({ kind: "end", because, spent });
      const done = { round, because, spent, proposals };
      rounds.push(done);
      if (flags.output === "text") writeResult(formatRound(done));
    }
  } finally {
    transcript.close();
    process.off("SIGINT", end).off("SIGTERM", end);
  }
  if (flags.output === "json") writeResult(JSON.stringify({ mode, rounds }, null, 2));
  const failed = rounds.at(-1)?.because ?? "";
  if (failed.startsWith("the endpoint failed"))
    throw new VariscaleError(
      "unavailable",
      `${failed}. Does --endpoint name an OpenAI-compatible API that has --model?`,
    );
}
