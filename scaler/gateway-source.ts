import { z } from "zod";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import { isRate, type LoadSample } from "../domain/load.ts";
import { type LastMinute, queryOf, type ReadLoad } from "../domain/load-report.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import { parseHttpAddress } from "../runtime/http-address.ts";
import type { HttpClient } from "../runtime/http-client.ts";
import { HttpFailure } from "../runtime/http-failure.ts";
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
      recent: z.object({ ended: count, inTime: count }).exactOptional(),
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

/** Throws invalid_argument for what is no http address, or has credentials in it. */
export function checkGatewayUrl(url: string): void {
  parseHttpAddress(url, {
    where: "load source:",
    example: "http://host:port",
    isHttpsAllowed: false,
    credentials: "a gateway asks for none, so remove them",
  });
}

export interface GatewaySourceOptions {
  /** `http://host:port` of the gateway; checked before. */
  readonly url: string;
  readonly key: PipelineKey;
  readonly httpClient: HttpClient;
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
  const { key, clock, rota, knownToMs, onPoll, httpClient } = options;
  const path = `/v1/pipelines/${encodeURIComponent(key.namespace)}/${encodeURIComponent(key.name)}/load`;
  const url = new URL(path, options.url);
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
      const report = await fetchReport(httpClient, new URL(url.pathname + queryOf(readBy(reader)), url));
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
      const failure = VariscaleError.from(thrown);
      problem = `${url.href}: ${failure instanceof HttpFailure ? failure.detail : failure.message}`;
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

async function fetchReport(httpClient: HttpClient, url: URL): Promise<Report> {
  const call = { method: "GET", url, timeoutMs: ANSWER_WITHIN_MS, maxBytes: MOST_BYTES };
  const { status, body } = await httpClient.request(call);
  if (status !== 200) throw new VariscaleError("unavailable", `answered with status ${status}`);
  return parseReport(body.toString("utf8"));
}

/** Throws unavailable for what is no load report. */
export function parseReport(text: string): Report {
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
