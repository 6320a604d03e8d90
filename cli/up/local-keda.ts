import { credentials, type ServiceError } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { GetMetricSpecResponse__Output } from "../../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { GetMetricsResponse__Output } from "../../proto/generated/externalscaler/GetMetricsResponse.ts";
import type { IsActiveResponse__Output } from "../../proto/generated/externalscaler/IsActiveResponse.ts";
import type { ScaledObjectRef } from "../../proto/generated/externalscaler/ScaledObjectRef.ts";
import type { ProtoGrpcType } from "../../proto/generated/externalscaler.ts";
import { loadProto } from "../../runtime/grpc.ts";

const POLL_INTERVAL_MS = 500;
const CALL_TIMEOUT_MS = 2000;

export interface LocalKedaOptions {
  /** host:port of the scaler's KEDA service. */
  readonly scalerAddress: string;
  readonly pipeline: Pipeline;
  readonly onReplicas: (stage: string, replicas: number) => void;
  /** From the end of one round to the next. Default 500. */
  readonly pollIntervalMs?: number;
  readonly logger: Logger;
}

export interface LocalKeda {
  close(): void;
}

/**
 * Does on one machine what KEDA and the HPA do in a cluster, over the same contract: asks the scaler for every stage's metric and
 * sets that many replicas. Where the scaler has no answer the replicas stay as they are.
 */
export function startLocalKeda(options: LocalKedaOptions): LocalKeda {
  const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
  const client = new ExternalScaler(options.scalerAddress, credentials.createInsecure());
  const { key, stages } = options.pipeline;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function pollStage(stage: string): Promise<void> {
    const ref: ScaledObjectRef = {
      name: `${key.name}-${stage}`,
      namespace: key.namespace,
      scalerMetadata: { scalerAddress: options.scalerAddress, pipeline: key.name, stage },
    };
    const specs = await unary<GetMetricSpecResponse__Output>(done => client.GetMetricSpec(ref, deadline(), done));
    const spec = specs.metricSpecs[0];
    if (!spec) return;
    const metrics = await unary<GetMetricsResponse__Output>(done =>
      client.GetMetrics({ scaledObjectRef: ref, metricName: spec.metricName }, deadline(), done),
    );
    const active = await unary<IsActiveResponse__Output>(done => client.IsActive(ref, deadline(), done));
    if (closed) return;
    const value = metrics.metricValues[0]?.metricValueFloat ?? 0;
    options.onReplicas(stage, active.result ? Math.max(1, Math.ceil(value / spec.targetSizeFloat)) : 0);
  }

  async function poll(): Promise<void> {
    for (const stage of stages) {
      if (closed) return;
      await pollStage(stage.name).catch((error: unknown) => {
        options.logger.debug({ err: error, stage: stage.name }, "no metric: replicas stay");
      });
    }
    if (!closed) timer = setTimeout(run, options.pollIntervalMs ?? POLL_INTERVAL_MS);
  }

  const run = (): void => {
    poll().catch((error: unknown) => options.logger.error({ err: error }, "polling failed"));
  };
  run();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      client.close();
    },
  };
}

const deadline = () => ({ deadline: Date.now() + CALL_TIMEOUT_MS });

function unary<Response>(
  start: (done: (error: ServiceError | null, response?: Response) => void) => void,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) =>
      error || response === undefined ? reject(error ?? new Error("no response")) : resolve(response),
    );
  });
}
