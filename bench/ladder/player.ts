/** Plays runs on real processes, one at a time, and says how far it is. */
import { type DemoSetting, prepareSetting } from "../../cli/demo/demo-setting.ts";
import { EXIT } from "../../cli/exit-codes.ts";
import { findModelFolder } from "../../cli/folders.ts";
import type { Up } from "../../cli/up/up.ts";
import { pipelineFileAt } from "../../runtime/read-pipeline.ts";
import type { Arrivals, Condition, Course } from "./conditions.ts";
import type { Contender } from "./contenders.ts";
import { KeptRuns } from "./kept-runs.ts";
import { playContender, type RunRow } from "./play-contender.ts";

const CALIBRATION_MS = 1500;
/** A run takes so long beside its load: starts, warm-up, the last answers, ends, and how fast the machine is then. */
const BESIDE_LOAD_MS = 20_000;

/** One load on one pipeline. */
export interface Place {
  readonly pipeline: string;
  readonly setting: DemoSetting;
  readonly condition: Condition;
  readonly course: Course;
}

export interface Run extends Place {
  readonly contender: Contender;
  readonly seed: number;
  readonly arrivals: Arrivals;
}

/** How long so many runs of each place take. */
export function estimateMinutes(places: readonly Pick<Place, "course">[], runs: number): number {
  return places.reduce((sum, { course }) => sum + runs * (course.durationMs + BESIDE_LOAD_MS), 0) / 60_000;
}

/** Plays what was not played before. */
export class Player {
  readonly #kept: KeptRuns;
  readonly #machineCores: number;
  #running: Promise<Up> | null = null;
  #played = 0;
  #ahead = 0;
  readonly #startMs = performance.now();

  constructor(file: string | null, machineCores: number) {
    this.#kept = new KeptRuns(file);
    this.#machineCores = machineCores;
  }

  /** Runs of a pipeline that go on another time have the SLO and the loads of those before. */
  async prepare(name: string): Promise<DemoSetting> {
    const file = pipelineFileAt(name);
    const speedFactor = this.#kept.readSpeed(name);
    const setting = await prepareSetting({
      pipelinePath: file,
      modelFolder: pipeline => findModelFolder(process.env, undefined, pipeline, file),
      machineCores: this.#machineCores,
      calibrationMs: CALIBRATION_MS,
      speedFactor,
      say: line => say(`${name}: ${line}`),
    });
    if (speedFactor === null) this.#kept.keepSpeed(name, setting.speedFactor);
    return setting;
  }

  /** Says how long it takes to play so many runs of each place. */
  expect(places: readonly Place[], runs: number): void {
    this.#ahead = places.length * runs;
    const minutes = estimateMinutes(places, runs);
    say(
      `up to ${this.#ahead} runs of ${places.length} cells, about ${formatMinutes(minutes)} and the simulations before them; what was played before is not played again`,
    );
  }

  async play(run: Run): Promise<RunRow> {
    const { setting, condition, course, contender, seed, arrivals } = run;
    const { disturbance } = condition;
    const key = { pipeline: setting.read(contender.set), machineCores: this.#machineCores, disturbance, ...arrivals };
    const onStart = (starting: Promise<Up>): void => {
      this.#running = starting;
    };
    const { row, isKept } = await this.#kept.playOnce(key, async () => ({
      pipeline: run.pipeline,
      condition: condition.name,
      contender: contender.name,
      seed,
      ...(await playContender({
        setting,
        contender,
        disturbance,
        durationMs: course.durationMs,
        ...arrivals,
        onStart,
      })),
    }));
    this.#played += 1;
    const minutes = (performance.now() - this.#startMs) / 60_000;
    say(`${describeRun(row, isKept)}; run ${this.#played} of up to ${this.#ahead}, ${formatMinutes(minutes)} so far`);
    return row;
  }

  stop(): void {
    say("interrupted: stopping what runs");
    const closing = this.#running?.then(up => up.close());
    const end = (): never => process.exit(EXIT.interrupted);
    Promise.resolve(closing).then(end, end);
  }
}

function describeRun(row: RunRow, isKept: boolean): string {
  return `${row.pipeline}/${row.condition}, seed ${row.seed}: ${row.contender}: ${row.effectivePercent} % of ${row.requests} right and in time, ${row.inTimePercent} % in time, p50 ${row.p50Ms} ms, p95 ${row.p95Ms} ms, ${row.coreSeconds} core-seconds, ${row.dropped} dropped, ${row.lost} lost, speed factor ${row.speedFactor}${isKept ? "; kept from before" : ""}`;
}

function formatMinutes(minutes: number): string {
  return minutes < 90 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
