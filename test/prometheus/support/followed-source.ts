import type { LoadSample } from "../../../domain/load.ts";
import type { LoadQuery } from "../../../domain/load-query.ts";
import type { PipelineKey } from "../../../domain/pipeline.ts";
import { systemClock } from "../../../scaler/clock.ts";
import type { LoadSource } from "../../../scaler/load-source.ts";
import { openPrometheusClient, type PrometheusClient } from "../../../scaler/prometheus-client.ts";
import { type PrometheusOptions, parsePrometheusUrl } from "../../../scaler/prometheus-options.ts";
import { openPrometheusSource } from "../../../scaler/prometheus-source.ts";

export interface Followed {
  readonly key?: PipelineKey;
  readonly query?: LoadQuery;
  readonly options?: Partial<PrometheusOptions>;
}

/** A source that is read as the loop reads one, by the wall clock. */
export class FollowedSource {
  /** All that it gave so far. */
  readonly samples: LoadSample[] = [];
  readonly #source: LoadSource;
  readonly #client: PrometheusClient;
  readonly #timer: NodeJS.Timeout;

  constructor(url: string, followed: Followed = {}) {
    this.#client = openPrometheusClient({ ...parsePrometheusUrl(url, null), ...followed.options });
    this.#source = openPrometheusSource({
      client: this.#client,
      key: followed.key ?? { namespace: "shop", name: "cards" },
      query: followed.query ?? null,
      clock: systemClock,
      knownToMs: null,
      onPoll: () => undefined,
      onRefused: () => undefined,
    });
    this.#timer = setInterval(() => this.samples.push(...this.#source.take()), 100);
  }

  get problem(): string {
    return this.#source.problem ?? "";
  }

  get ratesRps(): readonly number[] {
    return this.samples.map(sample => sample.rateRps);
  }

  /** Whether each sample is later than the one before. */
  get isInOrder(): boolean {
    return this.samples.every((sample, i) => i === 0 || sample.atMs > (this.samples[i - 1]?.atMs ?? 0));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#source.close();
    this.#client.close();
  }
}
