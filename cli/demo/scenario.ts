import { findVariant, type Stage } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import type { LabelledItem, PipelineCode } from "../../gateway/stage.ts";
import { startUp, type Up, type UpOptions } from "../up/up.ts";
import { BatchCounter } from "./batch-counter.ts";
import { runLoad } from "./load-client.ts";
import type { RequestRecord } from "./request-record.ts";
import { SwitchCounter } from "./switch-counter.ts";

/** What was served at one moment of a run. */
export interface Sample {
  readonly atMs: number;
  readonly variants: Readonly<Record<string, string>>;
  readonly replicas: Readonly<Record<string, number>>;
  /** Profiled ms of one row: means of the replicas that are ready, summed over stages; NaN where a stage has none. */
  readonly workMs: number;
  readonly cores: number;
  /** Switches of all switchers since the run started, warm-up not counted. */
  readonly switches: number;
  /** By stage, batches that were served since the run started, and the rows in them; warm-up not counted. */
  readonly batches: Readonly<Record<string, { readonly batches: number; readonly rows: number }>>;
}

export interface ScenarioResult {
  readonly name: string;
  readonly records: readonly RequestRecord[];
  readonly samples: readonly Sample[];
}

export interface ScenarioOptions {
  readonly name: string;
  readonly up: UpOptions;
  readonly items: readonly LabelledItem[];
  readonly evaluation: Pick<NonNullable<PipelineCode["evaluation"]>, "score">;
  /** Of the run; warm-up arrivals come before it and are not counted. */
  readonly arrivalsMs: readonly number[];
  readonly warmUpMs: readonly number[];
  readonly timeoutMs: number;
  readonly onProgress: (atMs: number, up: Up, records: readonly RequestRecord[]) => void;
  /** Told of what runs, so that an interrupt can end it. */
  readonly onStart: (starting: Promise<Up>) => void;
}

/** Starts everything, plays the load once, stops everything. */
export async function playScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const starting = startUp(options.up);
  options.onStart(starting);
  const up = await starting;
  const records: RequestRecord[] = [];
  const samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await up.ready();
    await firstPlan(up);
    const send = (arrivalsMs: readonly number[], onRecord: (record: RequestRecord) => void): Promise<void> =>
      runLoad({
        url: up.url,
        arrivalsMs,
        items: options.items,
        score: (response, label) => options.evaluation.score(response, label),
        timeoutMs: options.timeoutMs,
        onRecord,
      });
    await send(options.warmUpMs, () => undefined);
    const counters = { switches: new SwitchCounter(), batches: new BatchCounter() };
    const startMs = performance.now();
    for (const counter of Object.values(counters)) counter.observe(up.scaler.switchers(up.pipeline.key));
    timer = setInterval(() => {
      const atMs = performance.now() - startMs;
      samples.push(sampleOf(up, counters, atMs));
      options.onProgress(atMs, up, records);
    }, 1000);
    await send(options.arrivalsMs, record => records.push(record));
    samples.push(sampleOf(up, counters, performance.now() - startMs));
  } finally {
    clearInterval(timer);
    await up.close();
  }
  return { name: options.name, records, samples };
}

/** Without load there is a plan after the first samples; the run starts from it. */
async function firstPlan(up: Up): Promise<void> {
  for (let i = 0; i < 100 && !up.board()?.plan; i++) await new Promise(resolve => setTimeout(resolve, 200));
}

interface Counters {
  readonly switches: SwitchCounter;
  readonly batches: BatchCounter;
}

function sampleOf(up: Up, counters: Counters, atMs: number): Sample {
  const board = up.board();
  const switchers = up.scaler.switchers(up.pipeline.key);
  const variants: Record<string, string> = {};
  const replicas: Record<string, number> = {};
  let cores = 0;
  let workMs = 0;
  for (const stage of up.pipeline.stages) {
    const ready = switchers.filter(view => view.stage === stage.name && view.ready);
    variants[stage.name] = [...new Set(ready.map(view => view.variant))].sort().join("+");
    replicas[stage.name] = ready.length;
    workMs += ready.reduce((sum, view) => sum + profiledMs(stage, view.variant), 0) / ready.length;
    cores += (board?.stages.find(other => other.stage === stage.name)?.replicasNow ?? ready.length) * stage.cores;
  }
  return {
    atMs,
    variants,
    replicas,
    workMs,
    cores,
    switches: counters.switches.observe(switchers),
    batches: counters.batches.observe(switchers),
  };
}

function profiledMs(stage: Stage, variant: string): number {
  const profile = findVariant(stage, variant)?.profile;
  return profile ? serviceMs(profile, 1) : Number.NaN;
}
