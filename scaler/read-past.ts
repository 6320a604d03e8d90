import { VariscaleError } from "../domain/errors.ts";
import type { LoadQuery } from "../domain/load-query.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import { counterReader } from "./counter-reader.ts";
import type { PrometheusClient } from "./prometheus-client.ts";
import { rateReader } from "./rate-reader.ts";

const FIRST_SPAN_MS = 3_600_000;
const SHORTEST_SPAN_MS = 60_000;

export interface PastOptions {
  readonly client: PrometheusClient;
  readonly query: LoadQuery;
  /** Whole seconds. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The share that has been read. */
  readonly onProgress: (share: number) => void;
}

/**
 * The load that a Prometheus knows of a span of the past, read as the scaler reads it, span by span; a span whose answer is too large
 * is halved.
 *
 * @throws VariscaleError as the client does, not_found where there is no second of load.
 */
export async function readPast(options: PastOptions): Promise<LoadTrace> {
  const { client, query, fromMs, toMs } = options;
  const reader =
    query.kind === "counter" ? counterReader(client, query.selector) : rateReader(client, query.expression);
  const ratesRps = new Float64Array(Math.max(Math.floor((toMs - fromMs) / 1000), 0)).fill(Number.NaN);
  let spanMs = FIRST_SPAN_MS;
  let known = 0;
  let atMs = fromMs;
  while (atMs < toMs) {
    const untilMs = Math.min(atMs + spanMs, toMs);
    try {
      const read = await reader.read(atMs, untilMs);
      for (const sample of read.samples) {
        const second = Math.round((sample.atMs - fromMs) / 1000) - 1;
        if (second < 0 || second >= ratesRps.length || !Number.isNaN(ratesRps[second])) continue;
        ratesRps[second] = sample.rateRps;
        known += 1;
      }
      // What is not known at the end of a span in the past will be with the next one, or never.
      atMs = untilMs === toMs ? toMs : Math.max(read.readToMs, atMs + SHORTEST_SPAN_MS);
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      if (error.code !== "resource_exhausted" || spanMs <= SHORTEST_SPAN_MS) throw error;
      spanMs /= 2;
    }
    options.onProgress((atMs - fromMs) / (toMs - fromMs));
  }
  if (known === 0)
    throw new VariscaleError(
      "not_found",
      `${client.options.url}: no load in the span that was asked for: look at the names and labels of \`${query.kind === "counter" ? query.selector : query.expression}\`, at --since, and at how long it keeps data`,
    );
  return { startMs: fromMs, ratesRps };
}
