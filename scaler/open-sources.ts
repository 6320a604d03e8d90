import { Agent } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { Clock } from "./clock.ts";
import { checkGatewayUrl, GATEWAY_POLL_MS, openGatewaySource } from "./gateway-source.ts";
import type { LoadSource } from "./load-source.ts";
import type { ScalerMetrics } from "./metrics.ts";
import type { PipelineControl } from "./pipeline-control.ts";
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

/** The sources of all pipelines. One whose file names a source that is not there has none. */
export interface LoadSources {
  readonly byControl: ReadonlyMap<PipelineControl, LoadSource>;
  close(): void;
}

/**
 * Throws invalid_argument for a source that is wrong in itself, and for a pipeline file that asks for what its source can't give.
 */
export function checkSources(
  loadSources: Readonly<Record<string, LoadSourceOptions>>,
  controls: readonly PipelineControl[],
): void {
  for (const source of Object.values(loadSources)) if (source.kind === "gateway") checkGatewayUrl(source.url);
  for (const { pipeline } of controls) {
    const { loadSource, loadQuery, key } = pipeline;
    if (loadQuery === null || sourceOf(loadSources, loadSource)?.kind !== "gateway") continue;
    const field = loadQuery.kind === "counter" ? "spec.load.counter" : "spec.load.query";
    throw new VariscaleError(
      "invalid_argument",
      `pipeline ${formatKey(key)}: \`${field}\` is for a Prometheus, and its source \`${loadSource}\` is a gateway: remove it, or name another source`,
    );
  }
}

/** Opens what `checkSources` found right; every source polls from now on. */
export function openSources(
  controls: readonly PipelineControl[],
  loadSources: Readonly<Record<string, LoadSourceOptions>>,
  clock: Clock,
  metrics: ScalerMetrics,
): LoadSources {
  // A connection that was idle for longer may be closed by the gateway just when it is used again.
  const agent = new Agent({ keepAlive: true, maxSockets: 16, timeout: 3000 });
  const rota = new Rota(clock, GATEWAY_POLL_MS);
  const clients = new Map<PrometheusOptions, PrometheusClient>();
  const byControl = new Map<PipelineControl, LoadSource>();
  for (const control of controls) {
    const { key, loadSource, loadQuery } = control.pipeline;
    const source = sourceOf(loadSources, loadSource);
    if (!source) continue;
    const labels = labelsOf(key);
    const knownToMs = control.newestLoadAtMs;
    const countPoll = (ok: boolean) => metrics.loadPolls.inc({ ...labels, outcome: ok ? "ok" : "failed" });
    if (source.kind === "gateway") {
      byControl.set(
        control,
        openGatewaySource({ url: source.url, key, agent, clock, rota, knownToMs, onPoll: countPoll }),
      );
      continue;
    }
    const client = clients.get(source) ?? openPrometheusClient(source);
    clients.set(source, client);
    const onPoll = (ok: boolean, seconds: number): void => {
      countPoll(ok);
      metrics.loadPollSeconds.observe(seconds);
    };
    const onRefused = (values: number) => metrics.loadRefused.inc(labels, values);
    byControl.set(
      control,
      openPrometheusSource({ client, key, query: loadQuery, clock, knownToMs, onPoll, onRefused }),
    );
  }
  return {
    byControl,
    close: () => {
      for (const source of byControl.values()) source.close();
      agent.destroy();
      for (const client of clients.values()) client.close();
    },
  };
}

function sourceOf(
  loadSources: Readonly<Record<string, LoadSourceOptions>>,
  name: string,
): LoadSourceOptions | undefined {
  return Object.hasOwn(loadSources, name) ? loadSources[name] : undefined;
}

function labelsOf(key: PipelineKey): { readonly namespace: string; readonly pipeline: string } {
  return { namespace: key.namespace, pipeline: key.name };
}
