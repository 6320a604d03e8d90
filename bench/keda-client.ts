/** KEDA's side of the contract, from a process of its own: calls for ScaledObjects in an open or a closed loop. */
import { credentials } from "@grpc/grpc-js";
import type { ExternalScalerClient } from "../proto/generated/externalscaler/ExternalScaler.ts";
import type { ProtoGrpcType } from "../proto/generated/externalscaler.ts";
import { loadProto } from "../runtime/grpc.ts";
import { STAGES } from "./scaler-pipelines.ts";

/** Calls go to the ScaledObjects in turn, GetMetricSpec, GetMetrics and IsActive for each. */
export type KedaQuestion = { readonly port: number } & (
  | { readonly kind: "open"; readonly rateRps: number; readonly seconds: number }
  | { readonly kind: "closed"; readonly calls: number; readonly concurrency: number }
  /** Opens both streams of every ScaledObject and holds them. */
  | { readonly kind: "streams" }
);

export interface KedaAnswer {
  /** From when a call was due until its answer; from when it was sent, where its timer came early. */
  readonly latenciesMs: readonly number[];
  /** By how much later than it was due each call of an open loop was sent: the client's own part of the latencies. */
  readonly lateMs: readonly number[];
  readonly failed: number;
}

const [pipelines = 1, scaledObjects = 1] = process.argv.slice(2).map(Number);
const refs = Array.from({ length: scaledObjects }, (_, i) => {
  const pipeline = `pipeline-${Math.floor(i / STAGES.length) % pipelines}`;
  const stage = STAGES[i % STAGES.length] ?? STAGES[0];
  const scalerMetadata = { scalerAddress: "scaler:6000", pipeline, stage };
  return { name: `scaled-object-${i}`, namespace: "bench", scalerMetadata };
});
const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
const clients = new Map<number, ExternalScalerClient>();
let calls = 0;

process.on("message", (question: KedaQuestion) => {
  answer(question).then(
    found => process.send?.(found),
    () => process.exit(1),
  );
});
process.send?.({ kind: "ready" });

async function answer(question: KedaQuestion): Promise<KedaAnswer> {
  const client = clientOf(question.port);
  const latenciesMs: number[] = [];
  const lateMs: number[] = [];
  let failed = 0;
  const ask = async (dueMs: number): Promise<void> => {
    if (await call(client)) latenciesMs.push(performance.now() - dueMs);
    else failed += 1;
  };
  switch (question.kind) {
    case "streams":
      for (const ref of refs)
        for (const stream of [client.StreamIsActive(ref), client.StreamMetricSpec(ref)])
          stream.on("error", () => undefined).on("data", () => undefined);
      break;
    case "open": {
      const endMs = performance.now() + question.seconds * 1000;
      const pending: Promise<void>[] = [];
      for (let dueMs = performance.now(); dueMs < endMs; dueMs += 1000 / question.rateRps) {
        const waitMs = dueMs - performance.now();
        if (waitMs > 0.5) await new Promise(resolve => setTimeout(resolve, waitMs));
        const sentMs = performance.now();
        lateMs.push(Math.max(sentMs - dueMs, 0));
        pending.push(ask(Math.min(dueMs, sentMs)));
      }
      await Promise.all(pending);
      break;
    }
    case "closed": {
      let left = question.calls;
      const loop = async (): Promise<void> => {
        while (left-- > 0) await ask(performance.now());
      };
      await Promise.all(Array.from({ length: question.concurrency }, loop));
      break;
    }
    default:
      question satisfies never;
  }
  return { latenciesMs, lateMs, failed };
}

function call(client: ExternalScalerClient): Promise<boolean> {
  const ref = refs[Math.floor(calls / 3) % refs.length];
  const method = calls % 3;
  calls += 1;
  return new Promise(resolve => {
    const done = (error: unknown): void => resolve(!error);
    if (!ref) resolve(false);
    else if (method === 0) client.GetMetricSpec(ref, done);
    else if (method === 1) client.GetMetrics({ scaledObjectRef: ref, metricName: "m" }, done);
    else client.IsActive(ref, done);
  });
}

function clientOf(port: number): ExternalScalerClient {
  const client = clients.get(port) ?? new ExternalScaler(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.set(port, client);
  return client;
}
