import { VariscaleError } from "../domain/errors.ts";
import type { LoadSample } from "../domain/load.ts";
import type { LoadQuery } from "../domain/load-query.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { Clock } from "./clock.ts";
import { counterReader } from "./counter-reader.ts";
import type { LoadRead, LoadReader } from "./load-reader.ts";
import type { LoadSource } from "./load-source.ts";
import type { PrometheusClient } from "./prometheus-client.ts";
import { gatewayCounter } from "./promql.ts";
import { rateReader } from "./rate-reader.ts";

const LOOK_MS = 250;
const LEAST_WAIT_MS = 500;
/** From a scrape until its samples can be read, usually. */
const SETTLE_MS = 250;
const MOST_BACKOFF_MS = 8000;
/** Of the past, read at once; halved while answers are too large. */
const LONGEST_SPAN_MS = 600_000;
const SHORTEST_SPAN_MS = 60_000;
/** Failures to read a span until it is given up but for its last minute: the load now matters more. */
const MOST_FAILURES = 3;
/** Samples that wait for a tick at most, and those that one tick is given: each costs the forecaster some 0.1 ms. */
const MOST_WAITING = 7200;
const MOST_TAKEN = 600;
/** Clocks that differ by less are taken to agree. */
const CLOCK_SLACK_MS = 2000;
const ASK_TIME_EVERY_MS = 60_000;

export interface PrometheusSourceOptions {
  readonly client: PrometheusClient;
  readonly key: PipelineKey;
  /** Null: the counter of variscale's gateway. */
  readonly query: LoadQuery | null;
  readonly clock: Clock;
  /** Nothing until then is read: it is known from before a restart. Null: nothing is. */
  readonly knownToMs: number | null;
  readonly onPoll: (ok: boolean, seconds: number) => void;
  readonly onRefused: (values: number) => void;
}

/**
 * Reads load from a Prometheus: its past first, then each scrape as it comes. What can't be known stays missing. A Prometheus that is
 * away is caught up with when it is back.
 */
export function openPrometheusSource(options: PrometheusSourceOptions): LoadSource {
  const source = new PrometheusSource(options);
  const stop = options.clock.every(LOOK_MS, () => void source.poll());
  void source.poll();
  return {
    take: () => source.take(),
    get problem() {
      return source.problem;
    },
    lastMinute: null,
    takeAnswered: () => [],
    get warning() {
      return source.warning;
    },
    get staleAfterMs() {
      return source.staleAfterMs;
    },
    close: () => {
      stop();
      source.close();
    },
  };
}

interface Skew {
  /** Time of the Prometheus less ours. */
  readonly ms: number;
  /** What is taken off a sample's time to have ours: whole seconds, and none where clocks agree. */
  readonly shiftMs: number;
  readonly askedAtMs: number;
}

class PrometheusSource {
  problem: string | null = null;
  warning: string | null = null;
  readonly #options: PrometheusSourceOptions;
  readonly #query: LoadQuery;
  readonly #reader: LoadReader;
  #waiting: LoadSample[] = [];
  #isClosed = false;
  #isPolling = false;
  #isAnswering = false;
  #nextPollMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #spanMs = LONGEST_SPAN_MS;
  #skew: Skew | null = null;
  /** In a row, of a Prometheus that did answer what time it is. */
  #readFailures = 0;
  /** Whole second until which all was read, by the Prometheus's time. */
  #readToMs: number | null = null;

  constructor(options: PrometheusSourceOptions) {
    const { client, key } = options;
    this.#options = options;
    this.#query = options.query ?? gatewayCounter(key);
    this.#reader =
      this.#query.kind === "counter"
        ? counterReader(client, this.#query.selector)
        : rateReader(client, this.#query.expression);
  }

  get staleAfterMs(): number {
    return this.#reader.staleAfterMs;
  }

  take(): readonly LoadSample[] {
    return this.#waiting.splice(0, MOST_TAKEN);
  }

  close(): void {
    this.#isClosed = true;
  }

  async poll(): Promise<void> {
    const { clock, onPoll } = this.#options;
    if (this.#isPolling || this.#isClosed) return;
    // A clock that was set back must not stop it.
    const isDue = clock.nowMs() >= this.#nextPollMs || this.#nextPollMs - clock.nowMs() > 2 * this.staleAfterMs;
    if (!isDue) return;
    this.#isPolling = true;
    const startMs = performance.now();
    let failure: string | null = null;
    try {
      await this.#readAll();
      this.#failures = 0;
    } catch (thrown) {
      failure = this.#fail(VariscaleError.from(thrown));
    }
    this.#isPolling = false;
    if (this.#isClosed) return;
    if (failure !== null) this.problem = failure;
    onPoll(failure === null, (performance.now() - startMs) / 1000);
  }

  /** One span of the past after the other, until now. */
  async #readAll(): Promise<void> {
    this.#isAnswering = false;
    await this.#askTimeWhenDue();
    this.#isAnswering = true;
    for (;;) {
      const nowMs = this.#prometheusNowMs();
      const fromMs = this.#fromMs(nowMs);
      const toMs = Math.min(nowMs, fromMs + this.#spanMs + this.#reader.staleAfterMs);
      const read = await this.#reader.read(fromMs, toMs);
      this.#readFailures = 0;
      this.#accept(read, toMs === nowMs);
      if (toMs === nowMs || read.readToMs <= fromMs || this.#isClosed) return;
    }
  }

  #accept(read: LoadRead, isNow: boolean): void {
    this.#readToMs = read.readToMs;
    const shiftMs = this.#skew?.shiftMs ?? 0;
    const samples = read.samples.map(({ atMs, rateRps }) => ({ atMs: atMs - shiftMs, rateRps }));
    this.#waiting = [...this.#waiting, ...samples].slice(-MOST_WAITING);
    if (read.refused > 0) this.#options.onRefused(read.refused);
    if (!isNow) return;
    const query = this.#query.kind === "counter" ? this.#query.selector : this.#query.expression;
    const refused =
      read.refused > 0
        ? `${read.refused} values are no rates (NaN, infinite, negative or too high): those seconds are missing`
        : null;
    const missing = read.missing ?? refused;
    this.problem = missing === null ? null : `${this.#options.client.options.url}: ${missing}; \`${query}\``;
    this.warning = read.warnings.length === 0 ? null : read.warnings.join("; ");
    const nowMs = this.#prometheusNowMs();
    const dueMs = Math.min(Math.max(read.nextMs + SETTLE_MS, nowMs + LEAST_WAIT_MS), nowMs + read.retryMs);
    this.#nextPollMs = dueMs - (this.#skew?.ms ?? 0);
  }

  #fail(error: VariscaleError): string {
    const { client, clock } = this.#options;
    this.#failures += 1;
    this.#nextPollMs = clock.nowMs() + Math.min(1000 * 2 ** (this.#failures - 1), MOST_BACKOFF_MS);
    this.#skew = this.#skew === null ? null : { ...this.#skew, askedAtMs: Number.NEGATIVE_INFINITY };
    if (this.#isAnswering) this.#readFailures += 1;
    if (error.code === "resource_exhausted" && this.#spanMs > SHORTEST_SPAN_MS) this.#spanMs /= 2;
    else if (this.#readFailures >= MOST_FAILURES) {
      const lastMinuteMs = wholeSecond(this.#prometheusNowMs() - SHORTEST_SPAN_MS);
      this.#readToMs = Math.max(this.#readToMs ?? lastMinuteMs, lastMinuteMs);
    }
    return `${client.options.url}: ${error.message}`;
  }

  /** Where reading goes on: never before what is known, and no further back than the back-fill. */
  #fromMs(nowMs: number): number {
    const { client, knownToMs, clock } = this.#options;
    const { backfillMs } = client.options;
    // Its clock was set back: what follows is new all the same.
    if (this.#readToMs !== null && this.#readToMs > nowMs + this.staleAfterMs) this.#readToMs = wholeSecond(nowMs);
    if (this.#readToMs !== null)
      return Math.max(this.#readToMs, wholeSecond(nowMs - Math.max(backfillMs, LONGEST_SPAN_MS)));
    const isKnown = knownToMs !== null && knownToMs <= clock.nowMs();
    const firstMs = isKnown ? knownToMs + (this.#skew?.shiftMs ?? 0) : Number.NEGATIVE_INFINITY;
    return Math.max(wholeSecond(firstMs), wholeSecond(nowMs - backfillMs));
  }

  async #askTimeWhenDue(): Promise<void> {
    const { client, clock } = this.#options;
    const askedAtMs = clock.nowMs();
    if (this.#skew !== null && Math.abs(askedAtMs - this.#skew.askedAtMs) < ASK_TIME_EVERY_MS) return;
    const { series } = await client.ask("query", { query: "time()" });
    const point = series[0]?.points[0];
    if (point === undefined) throw new VariscaleError("unavailable", "asked for `time()` it gives none");
    const ms = point.atMs - (askedAtMs + clock.nowMs()) / 2;
    this.#skew = { ms, shiftMs: shiftOf(ms, this.#skew?.shiftMs ?? 0), askedAtMs };
  }

  #prometheusNowMs(): number {
    return Math.floor(this.#options.clock.nowMs() + (this.#skew?.ms ?? 0));
  }
}

/** It is kept while it is about right, so that seconds stay where they are. */
function shiftOf(skewMs: number, shiftBeforeMs: number): number {
  return Math.abs(skewMs - shiftBeforeMs) < CLOCK_SLACK_MS ? shiftBeforeMs : Math.round(skewMs / 1000) * 1000;
}

function wholeSecond(atMs: number): number {
  return Math.ceil(atMs / 1000) * 1000;
}
