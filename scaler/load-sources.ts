import { isDeepStrictEqual } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { HttpClient } from "../runtime/http-client.ts";
import type { Clock } from "./clock.ts";
import { checkGatewayUrl, GATEWAY_POLL_MS, openGatewaySource } from "./gateway-source.ts";
import type { LoadSource } from "./load-source.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { PipelineMetrics } from "./pipeline-metrics.ts";
import type { openPrometheusClient, PrometheusClient } from "./prometheus-client.ts";
import type { PrometheusOptions } from "./prometheus-options.ts";
import type { openPrometheusSource } from "./prometheus-source.ts";
import { Rota } from "./rota.ts";

/** Where load comes from, as the operator configured it; pipeline files name one. */
export type LoadSourceOptions =
  | {
      readonly kind: "gateway";
      /** `http://host:port`. */
      readonly url: string;
    }
  | PrometheusOptions;

export interface LoadSourcesOptions {
  readonly loadSources: Readonly<Record<string, LoadSourceOptions>>;
  readonly clock: Clock;
  readonly metrics: PipelineMetrics;
}

/** What polls a Prometheus; loaded where there is one to poll. */
interface PrometheusParts {
  readonly openPrometheusClient: typeof openPrometheusClient;
  readonly openPrometheusSource: typeof openPrometheusSource;
}

/** The open sources of all pipelines. One whose file names a source that is not there has none. */
export class LoadSources {
  readonly #options: LoadSourcesOptions;
  // A connection that was idle for longer may be closed by the gateway just when it is used again.
  readonly #httpClient = new HttpClient({ idleMs: 3000, maxConnections: 16 });
  readonly #rota: Rota;
  /** Null: no source is a Prometheus. */
  readonly #prometheus: PrometheusParts | null;
  readonly #clients = new Map<PrometheusOptions, PrometheusClient>();
  readonly #open = new Map<PipelineControl, LoadSource>();

  /** Throws invalid_argument for a source that is wrong in itself. */
  static async open(options: LoadSourcesOptions): Promise<LoadSources> {
    const sources = Object.values(options.loadSources);
    for (const source of sources) if (source.kind === "gateway") checkGatewayUrl(source.url);
    if (!sources.some(({ kind }) => kind === "prometheus")) return new LoadSources(options, null);
    const { openPrometheusClient } = await import("./prometheus-client.ts");
    const { openPrometheusSource } = await import("./prometheus-source.ts");
    return new LoadSources(options, { openPrometheusClient, openPrometheusSource });
  }

  private constructor(options: LoadSourcesOptions, prometheus: PrometheusParts | null) {
    this.#options = options;
    this.#prometheus = prometheus;
    this.#rota = new Rota(options.clock, GATEWAY_POLL_MS);
  }

  /** Throws invalid_argument for a pipeline file that asks for what its source can't give. */
  check({ loadSource, loadQuery, key }: Pipeline): void {
    if (loadQuery === null || this.#named(loadSource)?.kind !== "gateway") return;
    const field = loadQuery.kind === "counter" ? "spec.load.counter" : "spec.load.query";
    throw new VariscaleError(
      "invalid_argument",
      `pipeline ${formatKey(key)}: \`${field}\` is for a Prometheus, and its source \`${loadSource}\` is a gateway: remove it, or name another source`,
    );
  }

  /** Undefined: its file names a source that is not there. */
  get(control: PipelineControl): LoadSource | undefined {
    return this.#open.get(control);
  }

  /** What `check` found right polls from now on. */
  add(control: PipelineControl): void {
    const source = this.#named(control.pipeline.loadSource);
    if (source) this.#open.set(control, this.#openSource(control, source));
  }

  /** The source goes on where the pipeline still asks for the same. */
  replace(control: PipelineControl, before: Pipeline): void {
    const { loadSource, loadQuery } = control.pipeline;
    if (loadSource === before.loadSource && isDeepStrictEqual(loadQuery, before.loadQuery)) return;
    this.remove(control);
    this.add(control);
  }

  remove(control: PipelineControl): void {
    this.#open.get(control)?.close();
    this.#open.delete(control);
  }

  close(): void {
    for (const source of this.#open.values()) source.close();
    this.#httpClient.close();
    for (const client of this.#clients.values()) client.close();
  }

  #named(name: string): LoadSourceOptions | undefined {
    const { loadSources } = this.#options;
    return Object.hasOwn(loadSources, name) ? loadSources[name] : undefined;
  }

  #openSource(control: PipelineControl, source: LoadSourceOptions): LoadSource {
    const { clock, metrics } = this.#options;
    const { key, loadQuery } = control.pipeline;
    const knownToMs = control.newestLoadAtMs;
    const countPoll = (ok: boolean) => metrics.countLoadPoll(key, ok);
    if (source.kind === "gateway")
      return openGatewaySource({
        url: source.url,
        key,
        httpClient: this.#httpClient,
        clock,
        rota: this.#rota,
        knownToMs,
        onPoll: countPoll,
      });
    if (this.#prometheus === null) throw new Error("a Prometheus is to be polled, and what does that is not loaded");
    const { openPrometheusClient, openPrometheusSource } = this.#prometheus;
    const client = this.#clients.get(source) ?? openPrometheusClient(source);
    this.#clients.set(source, client);
    const onPoll = (ok: boolean, seconds: number): void => {
      countPoll(ok);
      metrics.all.loadPollSeconds.observe(seconds);
    };
    const onRefused = (values: number) => metrics.countLoadRefused(key, values);
    return openPrometheusSource({ client, key, query: loadQuery, clock, knownToMs, onPoll, onRefused });
  }
}
