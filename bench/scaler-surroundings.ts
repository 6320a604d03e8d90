import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { credentials } from "@grpc/grpc-js";
import { type LoadReport, readOf, unreadOf } from "../domain/load-report.ts";
import type { ProtoGrpcType as KedaProto } from "../proto/generated/externalscaler.ts";
import type { ProtoGrpcType as SwitcherProto } from "../proto/generated/switcher.ts";
import type { Assignment__Output } from "../proto/generated/variscale/switcher/v1/Assignment.ts";
import { loadProto } from "../runtime/grpc.ts";
import { STAGES, VARIANTS } from "./scaler-pipelines.ts";

/** What surrounds a scaler while it is measured; each part is stopped by `close()`. */
interface Surrounding {
  close(): void;
}

/** A gateway that reports a daily-like load for whatever pipeline it is asked about. */
export async function startLoad(): Promise<Surrounding & { readonly url: string }> {
  const rateRps = (second: number) => Math.round(40 + 30 * Math.sin(second / 60) + 8 * Math.sin(second * 1.7));
  const startedAtMs = Date.now() - 60_000;
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    const atMs = Date.now();
    const now = Math.floor(atMs / 1000);
    const seconds = Array.from({ length: 60 }, (_, i) => {
      const second = now - 60 + i;
      return { atMs: (second + 1) * 1000, rateRps: rateRps(second) };
    });
    const none = { served: 0, dropped: {}, lost: 0, failed: 0, invalid: 0, cancelled: 0, inFlight: 0 };
    const lastMinute = { ended: 0, inTime: 0, latencyMs: null };
    const offered = 0;
    const report: LoadReport = {
      epoch: "bench",
      startedAtMs,
      atMs,
      offered,
      ...none,
      lastMinute,
      estimates: [],
      seconds,
    };
    const read = readOf(new URLSearchParams(request.url?.split("?")[1]));
    response.end(JSON.stringify(unreadOf(report, read)));
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** From the report of one switcher to that of the next: processes of their own each have a phase of the second of their own. */
const REPORT_SLOT_MS = 10;

/** A scaler takes no more of one connection. */
const STREAMS_OF_CONNECTION = 8;

/** One switcher for every stage of every pipeline, reporting once a second and obeying at once. */
export function startSwitchers(port: number, pipelines: number): Surrounding {
  const { SwitcherControl } = loadProto<SwitcherProto>("switcher.proto").variscale.switcher.v1;
  const clients: InstanceType<typeof SwitcherControl>[] = [];
  let streams = 0;
  const opened = Array.from({ length: pipelines }, (_, i) => STAGES.map(stage => follow(i, stage))).flat();

  function open(): InstanceType<typeof SwitcherControl> {
    const options = { "grpc.use_local_subchannel_pool": 1 };
    return new SwitcherControl(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  }

  function follow(index: number, stage: string): { report(): void; cancel(): void } {
    if (streams % STREAMS_OF_CONNECTION === 0) clients.push(open());
    streams += 1;
    const stream = (clients.at(-1) ?? open()).Follow();
    let newest: Assignment__Output | null = null;
    let batches = 0;
    stream.on("error", () => undefined);
    stream.on("data", ({ assignment }) => {
      if (!assignment) return;
      newest = assignment;
      stream.write({ ack: { version: assignment.version, switchMs: 2 } });
    });
    const own = { variant: VARIANTS[0], residentVariants: [...VARIANTS], ready: true };
    stream.write({
      hello: {
        protocolVersions: [2],
        namespace: "bench",
        pipeline: `pipeline-${index}`,
        stage,
        pod: `pod-${index}-${stage}`,
        address: "127.0.0.1:1",
        softwareVersion: "0",
        cores: 1,
        memoryMib: 1024,
        ...own,
      },
    });
    return {
      report: () => {
        batches += 20;
        const variant = newest?.top ?? own.variant;
        const serviceTimes = [{ variant, rows: 1, batches, totalMs: batches * 20 }];
        stream.write({
          status: {
            ...own,
            applied: newest?.version ?? null,
            variant,
            batch: newest?.rungs[0]?.maxBatch ?? 1,
            serviceTimes,
          },
        });
      },
      cancel: () => stream.cancel(),
    };
  }

  const slots = 1000 / REPORT_SLOT_MS;
  let slot = 0;
  const timer = setInterval(() => {
    for (let i = slot; i < opened.length; i += slots) opened[i]?.report();
    slot = (slot + 1) % slots;
  }, REPORT_SLOT_MS);
  return {
    close: () => {
      clearInterval(timer);
      for (const one of opened) one.cancel();
      for (const client of clients) client.close();
    },
  };
}

/** KEDA's operator: two streams for every stage, and spec, metrics and activity of each every 15 s. */
export function startKeda(port: number, pipelines: number): Surrounding & { answered(): number; failed(): number } {
  const { ExternalScaler } = loadProto<KedaProto>("externalscaler.proto").externalscaler;
  const client = new ExternalScaler(`127.0.0.1:${port}`, credentials.createInsecure());
  const refs = Array.from({ length: pipelines }, (_, i) =>
    STAGES.map(stage => ({
      name: `pipeline-${i}-${stage}`,
      namespace: "bench",
      scalerMetadata: { scalerAddress: "scaler:6000", pipeline: `pipeline-${i}`, stage },
    })),
  ).flat();
  const streams = refs.flatMap(ref => [client.StreamIsActive(ref), client.StreamMetricSpec(ref)]);
  for (const stream of streams) stream.on("error", () => undefined).on("data", () => undefined);
  let answered = 0;
  let failed = 0;
  const count = (error: unknown): void => {
    if (error) failed += 1;
    else answered += 1;
  };
  const poll = (): void => {
    for (const ref of refs) {
      client.GetMetricSpec(ref, count);
      client.GetMetrics({ scaledObjectRef: ref, metricName: "m" }, count);
      client.IsActive(ref, count);
    }
  };
  const timer = setInterval(poll, 15_000);
  return {
    answered: () => answered,
    failed: () => failed,
    close: () => {
      clearInterval(timer);
      for (const stream of streams) stream.cancel();
      client.close();
    },
  };
}
