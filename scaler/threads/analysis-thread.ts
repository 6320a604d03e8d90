import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { Analysis } from "../../explanation/analyse-decision.ts";
import type { MadePlan } from "../../explanation/explain-decision.ts";
import type { AnalysisReply, AnalysisRequest } from "./analysis-messages.ts";
import { RestartableThread } from "./restartable-thread.ts";

const DEFAULT_WORKER = new URL("./analysis-worker.js", import.meta.url);
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 128 };
/** Requests that wait; more are refused. */
const MOST_WAITING = 8;
const ANSWER_WITHIN_MS = 20_000;
/** Without requests for so long the thread ends, and its memory is the system's again. */
const IDLE_MS = 60_000;
/** Analyses that are kept: a page asks for the newest decision every few seconds, as do others that are open. */
const MOST_KEPT = 64;

export interface AnalysisThreadOptions {
  /** The script of the thread. */
  readonly workerUrl?: URL;
  readonly answerWithinMs?: number;
  readonly idleMs?: number;
}

interface Waiting {
  readonly request: AnalysisRequest;
  readonly resolve: (analysis: Analysis) => void;
  readonly reject: (error: VariscaleError) => void;
}

/** One thread that explains one decision at a time; it is started by the first question and ends when there was none for a minute. */
export class AnalysisThread {
  readonly #options: AnalysisThreadOptions;
  /** By pipeline and decision, the one that was asked for last at the end. */
  readonly #kept = new Map<string, Promise<Analysis>>();
  readonly #waiting: Waiting[] = [];
  readonly #thread: RestartableThread<AnalysisRequest, AnalysisReply>;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;

  constructor(options: AnalysisThreadOptions = {}) {
    this.#options = options;
    this.#thread = new RestartableThread({
      script: options.workerUrl ?? DEFAULT_WORKER,
      resourceLimits: RESOURCE_LIMITS,
      onReply: reply => this.#answer(reply),
      onLost: reason => this.#lose(reason),
    });
  }

  /**
   * The analysis of a decision; the same `id` gives the same one.
   *
   * @throws VariscaleError resource_exhausted when too many wait, unavailable when it takes too long or the thread dies.
   */
  async analyse(id: string, pipeline: Pipeline, decision: MadePlan): Promise<Analysis> {
    const known = this.#kept.get(id);
    const analysis = known ?? this.#ask(pipeline, decision);
    this.#kept.delete(id);
    this.#kept.set(id, analysis);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    try {
      return await analysis;
    } catch (error) {
      if (this.#kept.get(id) === analysis) this.#kept.delete(id);
      throw error;
    }
  }

  get isRunning(): boolean {
    return this.#thread.isRunning;
  }

  async close(): Promise<void> {
    await this.#end("the scaler stops");
  }

  #ask(pipeline: Pipeline, decision: MadePlan): Promise<Analysis> {
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.reject(
        new VariscaleError("resource_exhausted", `${MOST_WAITING} explanations are being computed: ask again later`),
      );
    this.#asked += 1;
    const request = { id: this.#asked, pipeline, decision };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#waiting.length === 1) this.#next();
    });
  }

  /** Posts the oldest question, or lets the thread end in a while where there is none. */
  #next(): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting;
    if (!first) {
      this.#timer = setTimeout(() => void this.#end("it was idle"), this.#options.idleMs ?? IDLE_MS).unref();
      return;
    }
    const withinMs = this.#options.answerWithinMs ?? ANSWER_WITHIN_MS;
    this.#timer = setTimeout(() => void this.#end(`no answer within ${withinMs} ms`), withinMs);
    this.#thread.post(first.request);
  }

  #answer(reply: AnalysisReply): void {
    const [first] = this.#waiting;
    if (first?.request.id !== reply.id) return;
    this.#waiting.shift();
    if (reply.kind === "analysed") first.resolve(reply.analysis);
    else first.reject(new VariscaleError("internal", `the decision can't be explained: ${reply.message}`));
    this.#next();
  }

  async #end(reason: string): Promise<void> {
    clearTimeout(this.#timer);
    await this.#thread.end(reason);
  }

  /** All that wait are told: what the first one asked may be what ended the thread. */
  #lose(reason: string): void {
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.splice(0))
      reject(new VariscaleError("unavailable", `the explanation could not be computed: ${reason}`));
  }
}
