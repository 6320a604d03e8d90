import { Agent } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import type { Clock } from "./clock.ts";
import { checkGatewayUrl, GATEWAY_POLL_MS, openGatewaySource } from "./gateway-source.ts";
import type { LoadSource } from "./load-source.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { PipelineMetrics } from "./pipeline-metrics.ts";
import { openPrometheusClient, type PrometheusClient } from "./prometheus-client.ts";
import type { PrometheusOptions } from "./prometheus-options.ts";
import { openPrometheusSource } from "./prometheus-source.ts";
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

/** The open sources of all pipelines. One whose file names a source that is not there has none. */
export class LoadSources {
  readonly #options: LoadSourcesOptions;
  // A connection that was idle for longer may be closed by the gateway just when it is used again.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16, timeout: 3000 });
  readonly #rota: Rota;
  readonly #clients = new Map<PrometheusOptions, PrometheusClient>();
  readonly #open = new Map<PipelineControl, LoadSource>();

  /** Throws invalid_argument for a source that is wrong in itself. */
  constructor(options: LoadSourcesOptions) {
    for (const source of Object.values(options.loadSources)) if (source.kind === "gateway") checkGatewayUrl(source.url);
    this.#options = options;
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
    this.#agent.destroy();
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
        agent: this.#agent,
        clock,
        rota: this.#rota,
        knownToMs,
        onPoll: countPoll,
      });
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
