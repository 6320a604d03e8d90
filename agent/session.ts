import type { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import type { OpenModel } from "../predictor/network/open-model.ts";
import { type Budget, overspent, type Spent } from "./budget.ts";
import type { AgentLimits } from "./limits.ts";
import type { AgentPort } from "./port.ts";
import { bounded, boundedValue, MOST_NAME, MOST_TEXT, withoutKey } from "./quoted.ts";
import type { Situation } from "./situation.ts";
import { isToolName, look, type proposeSchema, TOOLS } from "./tools.ts";
import type { TranscriptLine } from "./transcript.ts";
import { judge, type Verdict } from "./verdict.ts";

export interface SessionOptions {
  readonly port: AgentPort;
  readonly mode: "advise" | "act";
  readonly limits: AgentLimits;
  readonly budget: Budget;
  /** What is accepted stays in force for so long; a configuration for one interval. */
  readonly ttlMs: number;
  readonly model: OpenModel | null;
  /** Of the endpoint, which may repeat it; null: there is none. */
  readonly key: string | null;
  readonly clockMs: () => number;
  readonly write: (line: TranscriptLine) => void;
}

export interface Proposal {
  readonly input: z.output<typeof proposeSchema>;
  readonly verdict: Verdict;
  readonly applied: boolean;
}

/** One agent's use of its tools: checked, counted, written down. Whoever calls is not trusted. */
export class AgentSession {
  readonly proposals: Proposal[] = [];
  readonly #options: SessionOptions;
  readonly #startedMs: number;
  #calls = 0;
  #tokens = 0;
  #situation: Situation | null = null;
  #before: Promise<unknown> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#startedMs = options.clockMs();
  }

  get spent(): Spent {
    const seconds = (this.#options.clockMs() - this.#startedMs) / 1000;
    return { calls: this.#calls, tokens: this.#tokens, seconds };
  }

  /** What of the budget is used up; null: nothing is. */
  get overspent(): keyof Budget | null {
    return overspent(this.#options.budget, this.spent);
  }

  said(text: string, tokens: number): void {
    this.#tokens += Number.isFinite(tokens) && tokens > 0 ? tokens : 0;
    this.#options.write({ kind: "said", text: bounded(text, 4 * MOST_TEXT), tokens });
  }

  /** Counts and writes down what never became a call: input that is not JSON, a tool that there is not. */
  refuse(tool: string, error: string): void {
    this.#calls += 1;
    const line = { call: this.#calls, tool: bounded(tool, MOST_NAME), input: null, answer: { error } };
    this.#options.write({ kind: "call", ...line });
  }

  /** The answer of a tool, or `{ error }`; never throws. Calls that come at once are answered one after the other. */
  call(tool: string, input: unknown): Promise<unknown> {
    const answer = this.#before.then(() => this.#next(tool, input));
    this.#before = answer;
    return answer;
  }

  async #next(tool: string, input: unknown): Promise<unknown> {
    const spent = this.overspent;
    if (spent !== null) return { error: `the budget of ${spent} is used up` };
    this.#calls += 1;
    const call = this.#calls;
    const answer = await this.#answer(call, tool, input).catch((error: unknown) => ({
      error: bounded(VariscaleError.from(error).message, MOST_TEXT),
    }));
    if (tool !== "propose" || isError(answer))
      this.#options.write({ kind: "call", call, tool: bounded(tool, MOST_NAME), input: boundedValue(input), answer });
    return answer;
  }

  async #answer(call: number, tool: string, input: unknown): Promise<unknown> {
    if (!isToolName(tool)) return { error: `there is no such tool: ${Object.keys(TOOLS).join(", ")}` };
    const { input: schema } = TOOLS[tool];
    const parsed = schema.safeParse(input ?? {});
    if (!parsed.success) {
      const issues = issuesOf(parsed.error, input, Object.keys(schema.shape)).slice(0, 5);
      return { error: issues.map(issue => bounded(formatIssue(issue), MOST_TEXT)).join(" ") };
    }
    const situation = await this.#now(tool);
    if (tool === "propose") return this.#propose(call, parsed.data as Proposal["input"], situation);
    return look(tool, parsed.data, { situation, limits: this.#options.limits, model: this.#options.model });
  }

  async #propose(call: number, { change, why }: Proposal["input"], situation: Situation): Promise<unknown> {
    const { port, mode, limits, ttlMs, key, write } = this.#options;
    const { verdict, tuning } = judge(situation, change, limits);
    // The change as it was checked, so that a replay checks the same; its schema bounds it. The reason also goes to the audit log.
    const input = { change, why: bounded(withoutKey(why, key), MOST_TEXT) };
    write({ kind: "proposal", call, input, verdict });
    const doesApply = mode === "act" && tuning !== null;
    if (doesApply) {
      const forMs = change.kind === "configuration" ? situation.pipeline.intervalMs : ttlMs;
      await port.apply(tuning, forMs, input.why);
      write({ kind: "applied", call, ttlMs: forMs });
      this.#situation = null;
    }
    this.proposals.push({ input, verdict, applied: doesApply });
    return { ...verdict, applied: doesApply };
  }

  /** Looks anew for what is asked about now and for what is to be judged; a transcript has each situation once. */
  async #now(tool: string): Promise<Situation> {
    if (this.#situation === null || tool === "get_state" || tool === "propose") {
      const situation = await this.#options.port.situation();
      if (situation.atMs !== this.#situation?.atMs) this.#options.write({ kind: "situation", situation });
      this.#situation = situation;
    }
    return this.#situation;
  }
}

function isError(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && Object.hasOwn(answer, "error");
}
