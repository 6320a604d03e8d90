import { type Agent, get, type RequestOptions } from "node:http";
import { z } from "zod";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import { isRate, type LoadSample } from "../domain/load.ts";
import { type LastMinute, queryOf, type ReadLoad } from "../domain/load-report.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import { NO_ANSWER_COUNTS, readAnswers } from "./answer-counts.ts";
import type { Clock } from "./clock.ts";
import { LOAD_STALE_AFTER_MS, type LoadSource } from "./load-source.ts";
import type { Rota } from "./rota.ts";

/** From one poll to the next. */
export const GATEWAY_POLL_MS = 1000;
const ANSWER_WITHIN_MS = 2000;
/** A report has 60 seconds; one that is larger is none. */
const MOST_BYTES = 256 * 1024;
/** Samples that wait for a tick at most; older ones are left out. */
const MOST_WAITING = 600;
/** Clocks that differ by less are taken to agree. */
const CLOCK_SLACK_MS = 2000;

const count = z.number().min(0);

/** What is read of domain/load-report.ts: an older or newer gateway may say more. */
const reportSchema = z.object({
  epoch: z.string().min(1).max(200),
  startedAtMs: z.number(),
  atMs: z.number(),
  seconds: z.array(z.object({ atMs: z.number(), rateRps: z.number() })).max(3600),
  // Gateways of earlier builds do not say.
  lastMinute: z
    .object({
      ended: count,
      inTime: count,
      latencyMs: z.object({ p50: z.number().min(0), p99: z.number().min(0) }).nullable(),
    })
    .nullable()
    .default(null),
  estimates: z
    .array(
      z.object({
        variants: z.record(z.string().max(253), z.string().max(253)),
        requests: count,
        right: count,
        labels: count,
        correction: z.number(),
      }),
    )
    .max(10_000)
    .default([]),
});

type Report = z.output<typeof reportSchema>;

/** Throws invalid_argument for what is no http URL. */
export function checkGatewayUrl(url: string): void {
  if (URL.canParse(url) && new URL(url).protocol === "http:") return;
  throw new VariscaleError("invalid_argument", `load source: \`${url}\` is no http URL: write http://host:port`);
}

export interface GatewaySourceOptions {
  /** `http://host:port` of the gateway; checked before. */
  readonly url: string;
  readonly key: PipelineKey;
  readonly agent: Agent;
  readonly clock: Clock;
  /** Takes turns with those of other pipelines, each once a GATEWAY_POLL_MS. */
  readonly rota: Rota;
  /** Seconds until then are known from before the scaler was started again, and not given twice; null: none. */
  readonly knownToMs: number | null;
  readonly onPoll: (ok: boolean) => void;
}

/**
 * Polls a gateway's load once a second. A report has the last minute as far as it was not read, so a poll that fails loses nothing
 * unless the gateway is away for longer; what it never counted (it was down) stays missing.
 */
export function openGatewaySource(options: GatewaySourceOptions): LoadSource {
  const { key, clock, rota, knownToMs, onPoll, agent } = options;
  const path = `/v1/pipelines/${encodeURIComponent(key.namespace)}/${encodeURIComponent(key.name)}/load`;
  const url = new URL(path, options.url);
  const { hostname, port } = url;
  let reader = newReader();
  let waiting: LoadSample[] = [];
  let problem: string | null = null;
  let lastMinute: LastMinute | null = null;
  let answers = NO_ANSWER_COUNTS;
  let answered: readonly AccuracyEstimate[] = [];
  let polling = false;

  const poll = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    try {
      const report = parseReport(
        await fetchOverKept({
          hostname: hostname.replace(/^\[|\]$/g, ""),
          port,
          path: path + queryOf(readBy(reader)),
          agent,
        }),
      );
      const read = readSamples(reader, report, clock.nowMs());
      // Of the first report alone: later ones may come from a clock that was set back.
      const isKnown = (sample: LoadSample): boolean =>
        reader.epoch === null && knownToMs !== null && sample.atMs <= knownToMs;
      waiting = [...waiting, ...read.samples.filter(sample => !isKnown(sample))].slice(-MOST_WAITING);
      reader = read.reader;
      lastMinute = report.lastMinute;
      const more = readAnswers(answers, report);
      answers = more.counts;
      answered = [...answered, ...more.answered].slice(-MOST_WAITING);
      problem = null;
    } catch (thrown) {
      lastMinute = null;
      problem = `${url.href}: ${VariscaleError.from(thrown).message}`;
    }
    polling = false;
    onPoll(problem === null);
  };

  void poll();
  const stop = rota.join(() => void poll());
  return {
    take: () => {
      const taken = waiting;
      waiting = [];
      return taken;
    },
    takeAnswered: () => {
      const taken = answered;
      answered = [];
      return taken;
    },
    get problem() {
      return problem;
    },
    get lastMinute() {
      return lastMinute;
    },
    warning: null,
    staleAfterMs: LOAD_STALE_AFTER_MS,
    close: stop,
  };
}

interface Reader {
  readonly epoch: string | null;
  /** End of the newest second that was read, by the gateway's clock. */
  readonly readToMs: number;
}

/** Null: nothing yet. */
function readBy({ epoch, readToMs }: Reader): ReadLoad | null {
  return epoch === null || readToMs === Number.NEGATIVE_INFINITY ? null : { epoch, toMs: readToMs };
}

function newReader(): Reader {
  return { epoch: null, readToMs: Number.NEGATIVE_INFINITY };
}

/**
 * The seconds of a report that were not read before, at the scaler's time. A gateway that was started again counts from its start,
 * and seconds before that are another run's.
 */
function readSamples(
  reader: Reader,
  report: Report,
  nowMs: number,
): { readonly reader: Reader; readonly samples: readonly LoadSample[] } {
  const readToMs =
    report.epoch === reader.epoch || reader.epoch === null
      ? reader.readToMs
      : Math.min(reader.readToMs, report.startedAtMs);
  const fresh = report.seconds.filter(second => second.atMs > readToMs && second.atMs <= report.atMs);
  const aheadMs = report.atMs - nowMs;
  // Whole seconds, so that the shift is the same in every report and no second is counted twice.
  const shiftMs = Math.abs(aheadMs) < CLOCK_SLACK_MS ? 0 : -1000 * Math.round(aheadMs / 1000);
  const samples = fresh
    .filter(second => isRate(second.rateRps))
    .map(second => ({ atMs: second.atMs + shiftMs, rateRps: second.rateRps }));
  return { reader: { epoch: report.epoch, readToMs: Math.max(readToMs, fresh.at(-1)?.atMs ?? readToMs) }, samples };
}

function parseReport(text: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new VariscaleError("unavailable", "the answer is not JSON");
  }
  const result = reportSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = issuesOf(result.error, value, [])[0];
  throw new VariscaleError(
    "unavailable",
    `the answer is no load report: ${issue ? formatIssue(issue) : "it is empty"}`,
  );
}

/** A kept connection may be closed by the other side just when it is used again: then once more, over a new one. */
async function fetchOverKept(request: RequestOptions): Promise<string> {
  try {
    return await fetchText(request);
  } catch (thrown) {
    if (!(thrown instanceof StaleConnection)) throw thrown;
    return await fetchText({ ...request, agent: false });
  }
}

class StaleConnection extends Error {}

function fetchText(options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(options, response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > MOST_BYTES)
          request.destroy(new VariscaleError("unavailable", `the answer has more than ${MOST_BYTES} bytes`));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) return resolve(Buffer.concat(chunks).toString());
        reject(new VariscaleError("unavailable", `answered with status ${String(response.statusCode)}`));
      });
    });
    // Not AbortSignal.timeout(): its timer and finalizer outlive the answer, and all of them the young generation.
    const timer = setTimeout(
      () => request.destroy(new VariscaleError("unavailable", `no answer within ${ANSWER_WITHIN_MS} ms`)),
      ANSWER_WITHIN_MS,
    );
    request.on("close", () => clearTimeout(timer));
    request.on("error", error => {
      const isStale = request.reusedSocket && "code" in error && error.code === "ECONNRESET";
      reject(isStale ? new StaleConnection() : VariscaleError.from(error, "unavailable"));
    });
  });
}
