import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey } from "../domain/pipeline.ts";
import type { LabelledItem, Row, StageCode } from "../gateway/stage.ts";
import { HttpClient } from "../runtime/http-client.ts";
import type { ItemBench } from "./measure-item.ts";
import { type ReplayReplica, startReplayReplica } from "./replay-replica.ts";

/** Different items that are sent in turn. */
const ITEMS = 20;
const WARM_UP_REQUESTS = 20;
/** How often each of them is. */
const REPEATS = 10;
const TIMEOUT_MS = 60_000;
const MOST_ANSWER_BYTES = 256 * 1024 * 1024;

const httpClient = new HttpClient({ idleMs: 4000 });

/** The gateway's own work for one request, all stages together: decode, rows, collect, respond, HTTP. */
export interface Overhead {
  readonly latencyMs: number;
  readonly cpuMs: number;
}

interface RecordedItem {
  readonly item: LabelledItem;
  readonly outputs: ReadonlyMap<string, readonly Row[]>;
}

/**
 * Sends items one after the other through a gateway whose replicas answer at once. The latency is the mean over the items of the
 * shortest one of each, so that requests that waited for a core do not count. Null: there are no items.
 */
export async function measureOverhead(bench: ItemBench, file: string): Promise<Overhead | null> {
  const { pipeline } = bench;
  const recorded: RecordedItem[] = [];
  for await (const item of bench.evaluation.items(ITEMS)) recorded.push(await record(bench, item));
  if (recorded.length === 0) return null;
  const replica = await startReplayReplica(pipeline.stages);
  const endpoints = pipeline.stages.map(stage => `${stage.name}=${replica.address}`);
  const child = fork(fileURLToPath(new URL("./gateway-process.js", import.meta.url)), [file, ...endpoints], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  try {
    const base = `http://127.0.0.1:${await portOf(child)}`;
    const url = `${base}/v1/pipelines/${formatKey(pipeline.key)}`;
    await sendAll(url, replica, recorded.slice(0, WARM_UP_REQUESTS));
    const cpuAtStartMs = await cpuMsOf(base);
    const rounds: number[][] = [];
    for (let i = 0; i < REPEATS; i++) rounds.push(await sendAll(url, replica, recorded));
    const cpuMs = (await cpuMsOf(base)) - cpuAtStartMs;
    const shortest = recorded.map((_, i) => Math.min(...rounds.map(latencies => latencies[i] ?? 0)));
    return {
      latencyMs: round(shortest.reduce((sum, latencyMs) => sum + latencyMs, 0) / shortest.length),
      cpuMs: round(cpuMs / (REPEATS * recorded.length)),
    };
  } finally {
    child.kill("SIGKILL");
    await replica.close();
  }
}

/** @returns the gateway's own latency for each item. */
async function sendAll(url: string, replica: ReplayReplica, recorded: readonly RecordedItem[]): Promise<number[]> {
  const latencies: number[] = [];
  for (const { item, outputs } of recorded) {
    replica.play(outputs);
    const latencyMs = await send(url, item);
    latencies.push(Math.max(0, latencyMs - replica.spentMs()));
  }
  return latencies;
}

/** What the default variants give for an item. */
async function record({ pipeline, code, models }: ItemBench, item: LabelledItem): Promise<RecordedItem> {
  const context = await code.decode(item.body, item.contentType);
  const outputs = new Map<string, readonly Row[]>();
  for (const stage of pipeline.stages) {
    const stageCode = code.stages[stage.name] as StageCode<unknown>;
    const given = await models.infer(stage.name, stage.defaultVariant, await stageCode.rows(context), new Map());
    outputs.set(stage.name, given);
    await stageCode.collect(context, given);
  }
  return { item, outputs };
}

async function portOf(child: ChildProcess): Promise<number> {
  const gone = once(child, "exit").then(() => {
    throw new VariscaleError("failed_precondition", "the gateway ended while it started; what it wrote says why");
  });
  const [message] = await Promise.race([once(child, "message"), gone]);
  gone.catch(() => undefined);
  return (message as { ports: { http: number } }).ports.http;
}

/** By the gateway's own clock, from the whole request to its answer. */
async function send(url: string, item: LabelledItem): Promise<number> {
  const headers = { "content-type": item.contentType, "x-request-timeout-ms": String(TIMEOUT_MS) };
  const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_ANSWER_BYTES };
  const answer = await httpClient.request({ method: "POST", url: new URL(url), headers, body: item.body, ...bounds });
  if (answer.status === 200) return Number(answer.headers["x-variscale-latency-ms"]);
  const said = answer.body.subarray(0, 500).toString("utf8");
  throw new VariscaleError("failed_precondition", `the gateway answered ${answer.status} to item ${item.id}: ${said}`);
}

async function cpuMsOf(base: string): Promise<number> {
  const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_ANSWER_BYTES };
  const { body } = await httpClient.request({ method: "GET", url: new URL(`${base}/metrics`), ...bounds });
  const seconds = /^process_cpu_seconds_total (\S+)/m.exec(body.toString("utf8"))?.[1];
  return Number(seconds) * 1000;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
