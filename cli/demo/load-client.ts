import { Agent, request } from "node:http";
import type { LabelledItem, PipelineCode, Score } from "../../gateway/stage.ts";
import type { RequestRecord } from "./request-record.ts";

export interface LoadClientOptions {
  /** Of the gateway's pipeline endpoint. */
  readonly url: string;
  /** Intended send times from the start of the run, rising. */
  readonly arrivalsMs: readonly number[];
  readonly items: readonly LabelledItem[];
  readonly score: (response: unknown, label: unknown) => Score;
  /** A request without an answer for this long is lost. */
  readonly timeoutMs: number;
  readonly onRecord: (record: RequestRecord) => void;
}

/** Sends the items in turn, open loop: at the intended times, whatever became of the requests before. */
export async function runLoad(options: LoadClientOptions): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4096 });
  const startMs = performance.now();
  const pending: Promise<void>[] = [];
  for (const [index, atMs] of options.arrivalsMs.entries()) {
    const waitMs = atMs - (performance.now() - startMs);
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    const item = options.items[index % options.items.length];
    if (item) pending.push(sendOne(options, agent, item, atMs, startMs));
  }
  await Promise.all(pending);
  agent.destroy();
}

/** The evaluation items of a pipeline's code, read before the run starts. */
export async function readItems(code: PipelineCode, count: number): Promise<LabelledItem[]> {
  const items: LabelledItem[] = [];
  for await (const item of code.evaluation?.items(count) ?? []) items.push(item);
  return items;
}

async function sendOne(
  options: LoadClientOptions,
  agent: Agent,
  item: LabelledItem,
  atMs: number,
  startMs: number,
): Promise<void> {
  const answer = await post(options, agent, item).catch(() => null);
  const latencyMs = performance.now() - startMs - atMs;
  const none = { atMs, latencyMs, correct: false, partsCorrect: 0, parts: 0, variants: "" };
  if (answer === null || (answer.status !== 200 && answer.status !== 503 && answer.status !== 504))
    return options.onRecord({ ...none, outcome: "lost" });
  if (answer.status !== 200) return options.onRecord({ ...none, outcome: "dropped" });
  const score = scoreOf(options, answer.body, item.label);
  if (score === null) return options.onRecord({ ...none, outcome: "lost" });
  options.onRecord({ ...none, ...score, outcome: "served", variants: answer.variants });
}

/** Null: what was answered is no response of the pipeline. */
function scoreOf(options: LoadClientOptions, body: string, label: unknown): Score | null {
  try {
    return options.score(JSON.parse(body), label);
  } catch {
    return null;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly variants: string;
}

function post(options: LoadClientOptions, agent: Agent, item: LabelledItem): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": item.contentType, "content-length": item.body.byteLength };
    const signal = AbortSignal.timeout(options.timeoutMs);
    const outgoing = request(options.url, { method: "POST", agent, headers, signal }, response => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("the answer was cut off")));
      response.on("end", () => {
        const variants = response.headers["x-variscale-variants"];
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString(),
          variants: typeof variants === "string" ? variants : "",
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(item.body);
  });
}
