/** The part `real`: the product against other ways to serve on real processes, by pipeline and load. */
import { availableParallelism } from "node:os";
import { onEndSignal } from "../../runtime/shutdown.ts";
import type { Figure } from "../figure.ts";
import { countAvoidable, describeLightest, serveByLightest } from "./avoidable-misses.ts";
import { boundEffective, countWindows, listWays } from "./clairvoyant.ts";
import { CONDITIONS, createCourse, drawArrivals } from "./conditions.ts";
import { type Contender, chooseWithin, type Family, PRODUCT, shortlistFamilies } from "./contenders.ts";
import { STALL_MS } from "./disturbances.ts";
import { comparePaired, type PairedDifference } from "./paired-difference.ts";
import type { RunRow } from "./play-contender.ts";
import { type Place, Player, say } from "./player.ts";
import { type Cell, createFigures, describeCell, type Extent, meanOver } from "./real-figures.ts";

/** The best fixed combination is picked on one seed and judged on others. */
const PICK_SEED = 1;
const JUDGE_SEEDS = [2, 3, 4] as const;
/** Those of each family that are run, best first by simulation. The families behind an HPA are run with one seed: no bar holds for them. */
const SHORTLISTS: Readonly<Record<Family, number>> = { fixed: 5, "fixed+HPA": 1, "ladder+HPA": 1 };
const MOST_RUNS = 1 + SHORTLISTS.fixed + 2 * JUDGE_SEEDS.length + SHORTLISTS["fixed+HPA"] + SHORTLISTS["ladder+HPA"];
/** The product and the best fixed combination, with one seed. */
const ONE_SEED_RUNS = 2;
const MACHINE_CORES = availableParallelism();
/** Windows of the clairvoyant. */
const WINDOW_MS = 500;

export interface RealOptions {
  readonly pipelines: readonly string[];
  /** A file for the runs that are done; null keeps none. */
  readonly rows: string | null;
  readonly extent: Extent;
}

export async function measureReal({ pipelines, rows, extent }: RealOptions): Promise<Figure[]> {
  const player = new Player(rows, MACHINE_CORES);
  onEndSignal(() => player.stop());
  const conditions = extent === "short" ? CONDITIONS.filter(({ name }) => name === "demo") : CONDITIONS;
  const places: Place[] = [];
  for (const name of pipelines) {
    const setting = await player.prepare(name);
    const { pipeline, rates } = setting;
    for (const condition of conditions) {
      const course = createCourse(condition, { pipeline, rates, machineCores: MACHINE_CORES });
      places.push({ pipeline: name, setting, condition, course });
    }
  }
  player.expect(places, extent === "whole" ? MOST_RUNS : ONE_SEED_RUNS);
  const cells: Cell[] = [];
  for (const place of places) {
    const cell = await judgeCell(player, place, extent === "whole");
    say(describeCell(cell));
    cells.push(cell);
  }
  return createFigures(cells, extent);
}

async function judgeCell(player: Player, place: Place, isWhole: boolean): Promise<Cell> {
  const { setting, condition, course } = place;
  const picking = drawArrivals(course, PICK_SEED);
  const shortlists = await shortlistFamilies(
    { setting, machineCores: MACHINE_CORES },
    course,
    { ...picking, seed: PICK_SEED },
    isWhole ? SHORTLISTS : { fixed: 1 },
  );
  const name = `${place.pipeline}/${condition.name}`;
  say(
    `${name}: up to ${course.peakRps.toFixed(1)} rps; best by simulation: ${Object.values(shortlists)
      .flat()
      .map(one => one.name)
      .join(", ")}`,
  );
  const play = (contender: Contender, seed: number): Promise<RunRow> =>
    player.play({ ...place, contender, seed, arrivals: drawArrivals(course, seed) });
  let [picked] = shortlists.fixed as readonly [Contender, ...Contender[]];
  if (shortlists.fixed.length > 1) {
    const product = await play(PRODUCT, PICK_SEED);
    const rivals: (RunRow & { readonly fixed: Contender })[] = [];
    for (const fixed of shortlists.fixed) rivals.push({ ...(await play(fixed, PICK_SEED)), fixed });
    picked = chooseWithin(rivals, product, 1)[0]?.fixed ?? picked;
  }
  const ours: RunRow[] = [];
  const theirs: RunRow[] = [];
  for (const seed of isWhole ? JUDGE_SEEDS : JUDGE_SEEDS.slice(0, 1)) {
    // A machine that gets slower or faster favours neither where they take turns.
    if (seed % 2 === 0) ours.push(await play(PRODUCT, seed));
    theirs.push(await play(picked, seed));
    if (seed % 2 !== 0) ours.push(await play(PRODUCT, seed));
  }
  const beside: Cell["beside"][number][] = [];
  for (const contender of [...shortlists["fixed+HPA"], ...shortlists["ladder+HPA"]]) {
    const row = await play(contender, JUDGE_SEEDS[0]);
    beside.push({ row, difference: compareRows(place, ours.slice(0, 1), [row]) });
  }
  return {
    name,
    disturbance: condition.disturbance,
    sloMs: setting.pipeline.slo.latencyMs,
    difference: compareRows(place, ours, theirs),
    ours,
    theirs,
    beside,
    clairvoyantPercent: meanOver(ours, row => boundRun(place, row)),
    avoidablePercent: meanOver(ours, row => countAvoidableIn(place, row)),
  };
}

function compareRows({ course }: Place, ours: readonly RunRow[], theirs: readonly RunRow[]): PairedDifference {
  return comparePaired(
    ours.map(({ seed, good }, at) => {
      const { arrivalsMs } = drawArrivals(course, seed);
      return { arrivalsMs, ours: good, theirs: theirs[at]?.good ?? "" };
    }),
  );
}

/** The clairvoyant's percentage of requests that are right and in time, with the core-seconds and service times of a run of the product. */
function boundRun({ setting, course }: Place, { seed, serviceFactors, coreSeconds }: RunRow): number {
  const { pipeline } = setting;
  const { arrivalsMs } = drawArrivals(course, seed);
  const overheadMs = pipeline.overhead.cpuMs;
  const share = boundEffective(listWays(pipeline, serviceFactors, overheadMs), {
    counts: countWindows(arrivalsMs, course.durationMs, WINDOW_MS),
    windowMs: WINDOW_MS,
    sloMs: pipeline.slo.latencyMs,
    cores: MACHINE_CORES,
    // The gateway's work counts on the machine, and not among the replicas' core-seconds.
    budgetMs: 1000 * coreSeconds + overheadMs * arrivalsMs.length,
  });
  return 100 * share;
}

function countAvoidableIn({ setting, condition, course }: Place, { seed, serviceFactors, inTime }: RunRow): number {
  const { arrivalsMs } = drawArrivals(course, seed);
  const lightest = describeLightest(setting.pipeline, serviceFactors);
  // Where replicas stand still, the lightest variants might have met it as well.
  const idleMs = lightest.idleMs + (condition.disturbance === "stalls" ? STALL_MS : 0);
  const place = { cores: MACHINE_CORES, sloMs: setting.pipeline.slo.latencyMs };
  return countAvoidable(inTime, serveByLightest(arrivalsMs, { ...lightest, idleMs }, place));
}
