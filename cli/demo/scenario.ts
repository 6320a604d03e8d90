import { findMainVariants } from "../../domain/plan.ts";
import type { LabelledItem, PipelineCode } from "../../gateway/stage.ts";
import { startUp, type Up, type UpOptions } from "../up/up.ts";
import { runLoad } from "./load-client.ts";
import type { RequestRecord } from "./request-record.ts";
import { workMs } from "./served-shares.ts";

/** The replicas at one moment of a run. */
export interface Sample {
  readonly atMs: number;
  readonly replicas: Readonly<Record<string, number>>;
  readonly cores: number;
  /** Service times over those that were measured before the run, of the stage where they are longest. */
  readonly slowdown: number;
  /** The profiled ms of one row in the variants that were planned; NaN before the first plan. */
  readonly plannedMs: number;
}

export interface ScenarioResult {
  readonly records: readonly RequestRecord[];
  readonly samples: readonly Sample[];
}

export interface ScenarioOptions {
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
    const startMs = performance.now();
    timer = setInterval(() => {
      const atMs = performance.now() - startMs;
      samples.push(takeSample(up, atMs));
      options.onProgress(atMs, up, records);
    }, 1000);
    await send(options.arrivalsMs, record => records.push(record));
    samples.push(takeSample(up, performance.now() - startMs));
  } finally {
    clearInterval(timer);
    await up.close();
  }
  return { records, samples };
}

/** Without load there is a plan after the first samples; the run starts from it. */
async function firstPlan(up: Up): Promise<void> {
  for (let i = 0; i < 100 && !up.board()?.plan; i++) await new Promise(resolve => setTimeout(resolve, 200));
}

function takeSample(up: Up, atMs: number): Sample {
  const board = up.board();
  const switchers = up.scaler.switchers(up.pipeline.key);
  const replicas: Record<string, number> = {};
  let cores = 0;
  for (const stage of up.pipeline.stages) {
    const ready = switchers.filter(view => view.stage === stage.name && view.ready);
    replicas[stage.name] = ready.length;
    cores += (board?.stages.find(other => other.stage === stage.name)?.replicasNow ?? ready.length) * stage.cores;
  }
  const slowdown = Math.max(...up.pipeline.stages.map(({ name }) => board?.corrections[name] ?? 1));
  const planned = Object.entries(findMainVariants(board?.plan ?? null)).map(([stage, name]) => [stage, { [name]: 1 }]);
  return { atMs, replicas, cores, slowdown, plannedMs: workMs(up.pipeline, Object.fromEntries(planned)) };
}
