/** The part `real`: the product against the best fixed combination on real processes, by pipeline and load. */
import { availableParallelism } from "node:os";
import { type DemoSetting, prepareSetting } from "../../cli/demo/demo-setting.ts";
import { EXIT } from "../../cli/exit-codes.ts";
import { findModelFolder } from "../../cli/folders.ts";
import type { Up } from "../../cli/up/up.ts";
import { pipelineFileAt } from "../../runtime/read-pipeline.ts";
import { onEndSignal } from "../../runtime/shutdown.ts";
import type { Figure } from "../figure.ts";
import { type Arrivals, CONDITIONS, type Condition, createCourse, drawArrivals } from "./conditions.ts";
import { type Contender, chooseWithin, PRODUCT, shortlistFixed } from "./contenders.ts";
import { KeptRuns } from "./kept-runs.ts";
import { comparePaired } from "./paired-difference.ts";
import { playContender, type RunRow } from "./play-contender.ts";
import { type Cell, createFigures } from "./real-figures.ts";

/** The best fixed combination is picked on one seed and judged on others. */
const PICK_SEED = 1;
const JUDGE_SEEDS = [2, 3, 4];
const SHORTLIST = 5;
const CALIBRATION_MS = 1500;
const MACHINE_CORES = availableParallelism();

export interface RealOptions {
  readonly pipelines: readonly string[];
  /** A file for the runs that are done; null keeps none. */
  readonly rows: string | null;
  /** One load, one seed, and the best fixed combination by simulation alone. */
  readonly isShort: boolean;
}

export async function measureReal(options: RealOptions): Promise<Figure[]> {
  const player = new Player(options.rows);
  onEndSignal(() => player.stop());
  const cells: Cell[] = [];
  const conditions = options.isShort ? CONDITIONS.filter(({ name }) => name === "demo") : CONDITIONS;
  for (const pipeline of options.pipelines) {
    const setting = await player.prepare(pipeline);
    for (const condition of conditions)
      cells.push(await judgeCell({ player, setting, pipeline, condition, isShort: options.isShort }));
  }
  return createFigures(cells, options.isShort);
}

interface CellOptions {
  readonly player: Player;
  readonly setting: DemoSetting;
  readonly pipeline: string;
  readonly condition: Condition;
  readonly isShort: boolean;
}

async function judgeCell(options: CellOptions): Promise<Cell> {
  const { player, setting, condition, isShort } = options;
  const { pipeline, rates } = setting;
  const course = createCourse(condition, { pipeline, rates, machineCores: MACHINE_CORES });
  const name = `${options.pipeline}/${condition.name}`;
  const picking = drawArrivals(course, PICK_SEED);
  const count = isShort ? 1 : SHORTLIST;
  const shortlist = await shortlistFixed(
    { setting, machineCores: MACHINE_CORES },
    course,
    { ...picking, seed: PICK_SEED },
    count,
  );
  say(
    `${name}: up to ${course.peakRps.toFixed(1)} rps; best fixed by simulation: ${shortlist.map(one => one.name).join(", ")}`,
  );
  const play = (contender: Contender, seed: number): Promise<RunRow> =>
    player.play({ ...options, contender, seed, arrivals: drawArrivals(course, seed), durationMs: course.durationMs });
  let [picked] = shortlist as [Contender, ...Contender[]];
  if (shortlist.length > 1) {
    const product = await play(PRODUCT, PICK_SEED);
    const rivals: (RunRow & { readonly fixed: Contender })[] = [];
    for (const fixed of shortlist) rivals.push({ ...(await play(fixed, PICK_SEED)), fixed });
    picked = chooseWithin(rivals, product, 1)[0]?.fixed ?? picked;
  }
  const ours: RunRow[] = [];
  const theirs: RunRow[] = [];
  for (const seed of isShort ? JUDGE_SEEDS.slice(0, 1) : JUDGE_SEEDS) {
    // A machine that gets slower or faster favours neither where they take turns.
    if (seed % 2 === 0) ours.push(await play(PRODUCT, seed));
    theirs.push(await play(picked, seed));
    if (seed % 2 !== 0) ours.push(await play(PRODUCT, seed));
  }
  const runs = ours.map(({ seed, good }, at) => {
    const { arrivalsMs } = drawArrivals(course, seed);
    return { arrivalsMs, ours: good, theirs: theirs[at]?.good ?? "" };
  });
  return { name, sloMs: pipeline.slo.latencyMs, difference: comparePaired(runs), ours, theirs };
}

/** Plays what was not played before, one run at a time. */
class Player {
  readonly #kept: KeptRuns;
  #running: Promise<Up> | null = null;

  constructor(file: string | null) {
    this.#kept = new KeptRuns(file);
  }

  /** Runs of a pipeline that go on another time have the SLO and the loads of those before. */
  async prepare(name: string): Promise<DemoSetting> {
    const file = pipelineFileAt(name);
    const speedFactor = this.#kept.readSpeed(name);
    const setting = await prepareSetting({
      pipelinePath: file,
      modelFolder: pipeline => findModelFolder(process.env, undefined, pipeline, file),
      machineCores: MACHINE_CORES,
      calibrationMs: CALIBRATION_MS,
      speedFactor,
      say: line => say(`${name}: ${line}`),
    });
    if (speedFactor === null) this.#kept.keepSpeed(name, setting.speedFactor);
    return setting;
  }

  async play(
    run: Omit<CellOptions, "player"> & {
      readonly contender: Contender;
      readonly seed: number;
      readonly arrivals: Arrivals;
      readonly durationMs: number;
    },
  ): Promise<RunRow> {
    const { setting, contender, seed, arrivals } = run;
    const key = { pipeline: setting.read(contender.set), machineCores: MACHINE_CORES, ...arrivals };
    const onStart = (starting: Promise<Up>): void => {
      this.#running = starting;
    };
    const { row, isKept } = await this.#kept.playOnce(key, async () => ({
      pipeline: run.pipeline,
      condition: run.condition.name,
      contender: contender.name,
      seed,
      ...(await playContender({ ...run, ...arrivals, onStart })),
    }));
    say(describeRun(row, isKept));
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

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
