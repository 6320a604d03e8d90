import type { LabelledItem, PipelineCode, Score } from "../../gateway/stage.ts";
import { HttpClient } from "../../runtime/http-client.ts";
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

/** The gateway keeps unused connections for longer. */
const IDLE_MS = 30_000;
const MOST_ANSWER_BYTES = 64 * 1024 * 1024;

/** Sends the items in turn, open loop: at the intended times, whatever became of the requests before. */
export async function runLoad(options: LoadClientOptions): Promise<void> {
  const client = new HttpClient({ idleMs: IDLE_MS, maxConnections: 4096 });
  const startMs = performance.now();
  const pending: Promise<void>[] = [];
  for (const [index, atMs] of options.arrivalsMs.entries()) {
    const waitMs = atMs - (performance.now() - startMs);
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    const item = options.items[index % options.items.length];
    if (item) pending.push(sendOne(options, client, item, atMs, startMs));
  }
  await Promise.all(pending);
  client.close();
}

/** The evaluation items of a pipeline's code, read before the run starts. */
export async function readItems(code: PipelineCode, count: number): Promise<LabelledItem[]> {
  const items: LabelledItem[] = [];
  for await (const item of code.evaluation?.items(count) ?? []) items.push(item);
  return items;
}

async function sendOne(
  options: LoadClientOptions,
  client: HttpClient,
  item: LabelledItem,
  atMs: number,
  startMs: number,
): Promise<void> {
  const answer = await post(options, client, item).catch(() => null);
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

async function post({ url, timeoutMs }: LoadClientOptions, client: HttpClient, item: LabelledItem): Promise<Answer> {
  const call = { method: "POST", url: new URL(url), headers: { "content-type": item.contentType }, body: item.body };
  const { status, headers, body } = await client.request({ ...call, timeoutMs, maxBytes: MOST_ANSWER_BYTES });
  const variants = headers["x-variscale-variants"];
  return { status, body: body.toString("utf8"), variants: typeof variants === "string" ? variants : "" };
}
