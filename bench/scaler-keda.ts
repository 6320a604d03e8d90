import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scaler } from "../scaler/main.ts";
import { Child } from "./child.ts";
import type { StartedMessage } from "./empty-scaler.ts";
import { type Figure, figure } from "./figure.ts";
import type { KedaAnswer, KedaQuestion } from "./keda-client.ts";
import type { MemoryMessage } from "./memory-message.ts";
import { CONTAINER_HEAP_FLAG, scalerEnvironment, scalerNodeFlags } from "./scaler-node-flags.ts";
import { startLoad, startSwitchers } from "./scaler-surroundings.ts";

/** Two streams and, every 15 s, three calls each: 400 calls a second. */
const SCALED_OBJECTS = 2000;
const RATE_RPS = 400;
/** Pipelines of three stages that the ScaledObjects point to. */
const PIPELINES = 100;
const WINDOW_SECONDS = 10;
/** Windows of either server: five minutes of load. */
const WINDOWS = 30;
const SHORT_WINDOWS = 2;
const WARM_UP = { kind: "closed", calls: 6000, concurrency: 8 } as const;
/** Not measured, of either server in turn: for its first minutes a process compiles what a scaler that runs for weeks has compiled. */
const WARM_UP_WINDOWS = 6;
/** For CPU time: as many calls at once as it takes to see them above what the server does anyway. */
const BURST = { kind: "closed", calls: 6000, concurrency: 8 } as const;
const BURSTS = 20;
/** Before every burst: what the scaler uses without calls. */
const QUIET_MS = 5000;

interface Rig {
  readonly scaler: Child;
  readonly empty: Child;
  readonly client: Child;
  readonly ports: { readonly scaler: number; readonly empty: number };
}

/**
 * How KEDA is answered, against handlers that do nothing, measured in turn in the same run; and the memory after it. The empty
 * server has the same core as the scaler, whose loop goes on in either's windows: what it waits for the core is in its latencies, too.
 */
export async function kedaFigures(isShort: boolean): Promise<Figure[]> {
  const stateDir = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  const load = await startLoad();
  const asStarted = [[...scalerNodeFlags(), CONTAINER_HEAP_FLAG], scalerEnvironment()] as const;
  const scaler = new Child("./scaler-process.js", [String(PIPELINES), load.url, stateDir], 0, ...asStarted);
  const empty = new Child("./empty-scaler.js", [], 0, ...asStarted);
  const client = new Child("./keda-client.js", [String(PIPELINES), String(SCALED_OBJECTS)], 1);
  try {
    const [started, other] = await Promise.all([
      scaler.receive<{ readonly ports: Scaler["ports"] }>(),
      empty.receive<StartedMessage>(),
      client.receive(),
    ]);
    const ports = { scaler: started.ports.keda, empty: other.ports.keda };
    const switchers = startSwitchers(started.ports.switchers, PIPELINES);
    const figures = await measure({ scaler, empty, client, ports }, isShort ? SHORT_WINDOWS : WINDOWS, isShort);
    switchers.close();
    return figures;
  } finally {
    await Promise.all([scaler, empty, client].map(child => child.stop()));
    load.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function measure(rig: Rig, windows: number, isShort: boolean): Promise<Figure[]> {
  const ask = (port: number, question: DistributiveOmit<KedaQuestion, "port">) =>
    rig.client.ask<KedaAnswer>({ ...question, port });
  await ask(rig.ports.scaler, { kind: "streams" });
  for (const port of [rig.ports.scaler, rig.ports.empty]) await ask(port, WARM_UP);
  // The first plans are made.
  await new Promise(resolve => setTimeout(resolve, WINDOW_SECONDS * 1000));
  const latenciesMs = { scaler: [] as number[], empty: [] as number[] };
  const lateMs: number[] = [];
  let failed = 0;
  const warmUpWindows = isShort ? 0 : WARM_UP_WINDOWS;
  for (let window = -warmUpWindows; window < windows; window++) {
    for (const name of window % 2 === 0 ? (["scaler", "empty"] as const) : (["empty", "scaler"] as const)) {
      const answer = await ask(rig.ports[name], { kind: "open", rateRps: RATE_RPS, seconds: WINDOW_SECONDS });
      if (window < 0) continue;
      for (const latency of answer.latenciesMs) latenciesMs[name].push(latency);
      for (const late of answer.lateMs) lateMs.push(late);
      failed += answer.failed;
    }
    process.stderr.write(
      window < 0 ? "KEDA's calls: warming up\n" : `KEDA's calls: ${window + 1} of ${windows} windows\n`,
    );
  }
  const memory = await rig.scaler.ask<MemoryMessage>({ kind: "memory" });
  const cpuMs = await cpuOfCalls(rig, ask);
  const p99Ms = { scaler: quantile(latenciesMs.scaler, 0.99), empty: quantile(latenciesMs.empty, 0.99) };
  const whole = { isWhole: !isShort && failed === 0 };
  const note = `${SCALED_OBJECTS} ScaledObjects on the ${PIPELINES * 3} stages of ${PIPELINES} pipelines, ${latenciesMs.scaler.length} calls, ${failed} failed, after ${2 * warmUpWindows * WINDOW_SECONDS} s of calls that are not measured`;
  return [
    figure("scaler.rpcP99Ratio", round(p99Ms.scaler / p99Ms.empty), {
      against: {
        p99Ms: round(p99Ms.scaler),
        emptyP99Ms: round(p99Ms.empty),
        p50Ms: round(quantile(latenciesMs.scaler, 0.5)),
        emptyP50Ms: round(quantile(latenciesMs.empty, 0.5)),
        clientLateP99Ms: round(quantile(lateMs, 0.99)),
      },
      ...whole,
      note,
    }),
    figure("scaler.cpuPerCallRatio", round(cpuMs.scaler / cpuMs.empty), {
      against: { cpuMs: round(cpuMs.scaler), emptyCpuMs: round(cpuMs.empty), idleCores: round(cpuMs.idleCores) },
      ...whole,
      note: `mean of ${BURSTS} bursts of ${BURST.calls} calls; of the scaler's CPU time, what it used in the ${QUIET_MS / 1000} s before each burst is subtracted in proportion to time: the control loop, load polls and switchers run with or without calls`,
    }),
    figure("scaler.rssKedaMiB", round(memory.rss / 2 ** 20), {
      against: { heapUsedMiB: round(memory.heapUsed / 2 ** 20), openStreams: 2 * SCALED_OBJECTS },
      ...whole,
      note: `after ${windows * WINDOW_SECONDS} s of calls, with both streams of every ScaledObject open`,
    }),
  ];
}

/** Mean CPU time of one call on either server, collections of garbage included, above what the server uses without calls. */
async function cpuOfCalls(
  rig: Rig,
  ask: (port: number, question: typeof BURST) => Promise<KedaAnswer>,
): Promise<{ readonly scaler: number; readonly empty: number; readonly idleCores: number }> {
  const idle = { ms: 0, cpuMs: 0 };
  const spentMs = { scaler: 0, empty: 0 };
  for (let burst = 0; burst < BURSTS; burst++) {
    const quiet = await cpuDuring(rig.scaler, () => new Promise(resolve => setTimeout(resolve, QUIET_MS)));
    idle.ms += quiet.ms;
    idle.cpuMs += quiet.cpuMs;
    for (const name of ["scaler", "empty"] as const) {
      const { ms, cpuMs } = await cpuDuring(rig[name], () => ask(rig.ports[name], BURST));
      const anyway = name === "scaler" ? (quiet.cpuMs / quiet.ms) * ms : 0;
      spentMs[name] += cpuMs - anyway;
    }
  }
  const calls = BURSTS * BURST.calls;
  return { scaler: spentMs.scaler / calls, empty: spentMs.empty / calls, idleCores: idle.cpuMs / idle.ms };
}

async function cpuDuring(
  child: Child,
  work: () => Promise<unknown>,
): Promise<{ readonly ms: number; readonly cpuMs: number }> {
  const before = await child.ask<MemoryMessage>({ kind: "memory" });
  const startMs = performance.now();
  await work();
  const ms = performance.now() - startMs;
  const after = await child.ask<MemoryMessage>({ kind: "memory" });
  const cpuMs = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1000;
  return { ms, cpuMs };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
