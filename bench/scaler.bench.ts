import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialState } from "../control/control-state.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { tick } from "../control/tick.ts";
import type { TickInput } from "../control/tick-input.ts";
import { UNTUNED } from "../control/tuning.ts";
import { findTop } from "../domain/assignment.ts";
import { RATE_QUANTILES } from "../domain/load.ts";
import { askedParts } from "./asked-parts.ts";
import { type Figure, figure } from "./figure.ts";
import type { MemoryMessage } from "./memory-message.ts";
import { kedaFigures } from "./scaler-keda.ts";
import { CONTAINER_HEAP_FLAG, scalerEnvironment, scalerNodeFlags } from "./scaler-node-flags.ts";
import { generatedPipeline, STAGES } from "./scaler-pipelines.ts";
import { startKeda, startLoad, startSwitchers } from "./scaler-surroundings.ts";

const PIPELINES = 100;
const RUN_SECONDS = 300;
/** With `--short`: too short to count, long enough to see that it works. */
const SHORT_SECONDS = 30;
const TICKS = 500;
const WARM_UP_TICKS = 100;

const PARTS: Readonly<Record<string, (isShort: boolean) => Promise<readonly Figure[]>>> = {
  tick: async () => [controlTickMs()],
  memory: async isShort => [await scalerRssMiB(isShort ? SHORT_SECONDS : RUN_SECONDS)],
  keda: kedaFigures,
};

/**
 * Memory of a scaler with 100 pipelines of three stages after five minutes, the time of one tick that plans, and how KEDA is
 * answered.
 */
export async function scalerSuite(only: readonly string[] | null): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const figures: Figure[] = [];
  for (const part of askedParts(only, Object.keys(PARTS))) figures.push(...((await PARTS[part]?.(isShort)) ?? []));
  return figures;
}

/** Median of a tick in which the plan is always due, at a rate that is new each time; three replicas a stage are connected. */
function controlTickMs(): Figure {
  const pipeline = generatedPipeline(0);
  let state = initialState(1);
  let nowMs = 1_700_000_000_000;
  const times: number[] = [];
  const planTimes: number[] = [];
  for (let i = 0; i < WARM_UP_TICKS + TICKS; i++) {
    nowMs += pipeline.intervalMs;
    const input = tickInput(pipeline, state.assignments, 60 + 50 * Math.sin(i / 7), nowMs);
    const { decisions } = state;
    const startMs = performance.now();
    state = tick(state, input, nowMs).state;
    const tookMs = performance.now() - startMs;
    // A plan that waits an excursion out was searched for as well.
    if (state.decisions === decisions && !state.planReasons.includes("held_excursion"))
      throw new Error(`tick ${i} did not plan`);
    if (i >= WARM_UP_TICKS) times.push(tookMs);
    planTimes.push(tookMs);
  }
  times.sort((a, b) => a - b);
  return figure("control.tickMs", round(times[Math.floor(times.length / 2)] ?? 0), {
    against: { p99Ms: round(times[Math.floor(times.length * 0.99)] ?? 0), firstMs: round(planTimes[0] ?? 0) },
    note: `${TICKS} ticks that plan, 3 stages of 4 variants and 5 batch sizes`,
  });
}

function tickInput(
  pipeline: TickInput["pipeline"],
  assignments: ReturnType<typeof initialState>["assignments"],
  rateRps: number,
  nowMs: number,
): TickInput {
  const switchers = STAGES.flatMap(stage => [0, 1, 2].map(i => viewOf(stage, `pod-${i}`, assignments)));
  const peakRps = [rateRps, rateRps * 1.2, rateRps * 1.3, rateRps * 1.5] as const;
  return {
    pipeline,
    mode: "active",
    forecast: {
      atMs: nowMs,
      horizonMs: 25_000,
      peakRps,
      intensityRps: peakRps,
      rateRps: RATE_QUANTILES.map(() => rateRps),
      reactiveRps: rateRps,
      leader: "bench",
    },
    load: { atMs: nowMs, rateRps },
    switchers,
    readyReplicas: {},
    answered: [],
    bounds: {},
    scaling: {},
    pins: [],
    tuning: UNTUNED,
    limits: { cores: null, machineCores: null },
    epoch: 1,
  };
}

function viewOf(stage: string, pod: string, assignments: ReturnType<typeof initialState>["assignments"]): SwitcherView {
  const assigned = assignments[`${stage}/${pod}`];
  return {
    stage,
    pod,
    ready: true,
    applied: assigned?.version ?? { epoch: 0, counter: 0 },
    variant: assigned?.top ?? "huge",
    batch: assigned ? findTop(assigned).maxBatch : 1,
    residentVariants: ["huge", "large", "medium", "small"],
    missingVariants: [],
    pin: null,
    queuedRows: 0,
    queueAgeMs: 0,
    serviceTimes: [],
    nack: null,
  };
}

/** Resident memory at the end of the run: the median of the last minute. The scaler is polled, followed and scraped all the time. */
async function scalerRssMiB(seconds: number): Promise<Figure> {
  const stateDir = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  const load = await startLoad();
  const script = fileURLToPath(new URL("./scaler-process.js", import.meta.url));
  const child = fork(script, [String(PIPELINES), load.url, stateDir], {
    execArgv: [...scalerNodeFlags(), CONTAINER_HEAP_FLAG],
    env: scalerEnvironment(),
  });
  try {
    const { ports } = (await messageOf(child, "started")) as { ports: Record<"keda" | "switchers" | "http", number> };
    const switchers = startSwitchers(ports.switchers, PIPELINES);
    const keda = startKeda(ports.keda, PIPELINES);
    const readings = await readMemory(child, `http://127.0.0.1:${ports.http}/metrics`, seconds);
    switchers.close();
    keda.close();
    const lastMinute = readings.slice(-12).map(reading => reading.rss / 2 ** 20);
    lastMinute.sort((a, b) => a - b);
    const last = readings.at(-1);
    return figure("scaler.rssMiB", round(lastMinute[Math.floor(lastMinute.length / 2)] ?? 0), {
      against: {
        largestMiB: round(lastMinute.at(-1) ?? 0),
        heapUsedMiB: round((last?.heapUsed ?? 0) / 2 ** 20),
        cpuCores: round(((last?.cpu.user ?? 0) + (last?.cpu.system ?? 0)) / 1e6 / seconds),
        kedaAnswered: keda.answered(),
        kedaFailed: keda.failed(),
      },
      isWhole: seconds === RUN_SECONDS,
      note: `${PIPELINES} pipelines of ${STAGES.length} stages, each with a switcher and KEDA's streams, after ${seconds} s${seconds === RUN_SECONDS ? "" : ", too short to count"}`,
    });
  } finally {
    await stop(child);
    load.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function readMemory(child: ChildProcess, metricsUrl: string, seconds: number): Promise<readonly MemoryMessage[]> {
  const readings: MemoryMessage[] = [];
  for (let passed = 0; passed < seconds; passed += 5) {
    await new Promise(resolve => setTimeout(resolve, 5000));
    if (passed % 15 === 0) await (await fetch(metricsUrl)).text();
    child.send({ kind: "memory" });
    readings.push((await messageOf(child, "memory")) as unknown as MemoryMessage);
  }
  return readings;
}

function messageOf(child: ChildProcess, kind: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the scaler ended with ${code}`));
    child.once("exit", onExit);
    const onMessage = (message: unknown) => {
      const found = message as Record<string, unknown>;
      if (found["kind"] !== kind) return;
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(found);
    };
    child.on("message", onMessage);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once("exit", resolve));
  child.send({ kind: "close" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
