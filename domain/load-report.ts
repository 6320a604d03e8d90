import type { AccuracyEstimate } from "./accuracy-estimate.ts";
import { VariscaleError } from "./errors.ts";
import type { LoadSample } from "./load.ts";

/**
 * What a gateway tells about the load of its pipeline: JSON of `GET /v1/pipelines/{namespace}/{name}/load`.
 * With `?epoch=…&after=…` it leaves out the seconds that the reader has had. Counters are
 * cumulative within `epoch` and exact: offered = served + dropped + lost + failed + invalid + cancelled + inFlight, at any time.
 */
export interface LoadReport {
  /** One run of the gateway; with a new one all counters start at 0 again. */
  readonly epoch: string;
  readonly startedAtMs: number;
  readonly atMs: number;
  /** Requests that arrived whole, rejections included; a retry inside the gateway is not counted. */
  readonly offered: number;
  /** Answered with a result. */
  readonly served: number;
  /** Refused with 503 or 504, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** A replica gave no answer or reset the connection, also on the second try. */
  readonly lost: number;
  /** The pipeline's code threw, or replicas gave answers that break their contract. */
  readonly failed: number;
  /** The request itself was wrong (400). */
  readonly invalid: number;
  /** The client went away before it had an answer. */
  readonly cancelled: number;
  readonly inFlight: number;
  readonly lastMinute: LastMinute;
  /** Of every combination of variants that has served since the start; none without estimators in the pipeline file. */
  readonly estimates: readonly AccuracyEstimate[];
  /** Offered requests of the last whole seconds, oldest first; none before the start. */
  readonly seconds: readonly LoadSample[];
}

/** What a reader of reports has had: of this run of the gateway, the seconds until then. */
export interface ReadLoad {
  readonly epoch: string;
  /** End of the newest second, by the gateway's clock. */
  readonly toMs: number;
}

/** The report without the seconds that were read; of another run nothing was. */
export function unreadOf(report: LoadReport, read: ReadLoad | null): LoadReport {
  if (read?.epoch !== report.epoch) return report;
  return { ...report, seconds: report.seconds.filter(({ atMs }) => atMs > read.toMs) };
}

/** As the query of a GET of the report; empty where nothing was read. */
export function queryOf(read: ReadLoad | null): string {
  return read ? `?epoch=${encodeURIComponent(read.epoch)}&after=${read.toMs}` : "";
}

/**
 * What such a query says was read; null: it says nothing, and all seconds are wanted.
 *
 * @throws VariscaleError invalid_argument where `after` is no time.
 */
export function readOf(query: URLSearchParams): ReadLoad | null {
  const [epoch, after] = [query.get("epoch"), query.get("after")];
  if (epoch === null || after === null) return null;
  const toMs = Number(after);
  if (after.trim() !== "" && Number.isFinite(toMs)) return { epoch, toMs };
  throw new VariscaleError("invalid_argument", `after=${after} is no time: write milliseconds since 1970`);
}

/** Share of the requests of the last minute that were answered in time; null: not known, or there were none. */
export function shareInTime(lastMinute: LastMinute | null): number | null {
  return lastMinute !== null && lastMinute.ended > 0 ? lastMinute.inTime / lastMinute.ended : null;
}

/** Requests that ended, and those of them that were answered with a result within the latency of the SLO. */
export interface Attained {
  readonly ended: number;
  readonly inTime: number;
}

/**
 * Whether fewer were answered in time than a share, by more than chance: by two standard deviations of the number that may be late, and one request,
 * as a single late one of few says nothing. Worked: where 99 % should be in time, of 100 more than 4 are late, and of 10 more than 1.
 */
export function isBelow({ ended, inTime }: Attained, share: number): boolean {
  const expected = (1 - share) * ended;
  return ended - inTime > expected + 2 * Math.sqrt(expected) + 1;
}

/** How the requests that ended in the last minute did; those that clients sent wrong or did not wait for are left out. */
export interface LastMinute extends Attained {
  /** Those of the last ten seconds without what failed, was lost or had a slow client; missing: gateways of earlier versions don't say. */
  readonly recent?: Attained;
  /** From the whole request to its result, a twentieth off at most; null: none had a result. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
}
