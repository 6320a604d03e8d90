/** One batch that was run. */
export interface Run {
  readonly wallMs: number;
  /** Of all threads; null where another process did the work. */
  readonly cpuMs: number | null;
}

/** Service time of one batch on cores that nothing else uses. */
export interface ServiceTime {
  readonly latencyMs: number;
  readonly cpuMs: number | null;
  /** Squared coefficient of variation. */
  readonly scv: number;
  /** Mean wall time over what it is on free cores: 1 on a quiet machine, and where no CPU time can tell. */
  readonly disturbance: number;
  /** `wall`: the mean of the runs that were not disturbed. `cpu`: too many were, so it is taken from CPU time. */
  readonly basis: "wall" | "cpu";
}

/** A run whose wall time is beyond this, against CPU time, waited for a core. */
const TOLERANCE = 1.05;
const TOLERANCE_MS = 0.03;
/** Share of runs that must have been undisturbed for wall time to be believed. */
const LEAST_UNDISTURBED = 0.3;
/** Runs that are looked at together take so long at least: less than a neighbour's work … */
const STRETCH_MS = 20;
/** … and are as many as there are sample rows at most. */
const STRETCH_RUNS = 16;
/** Share of the stretches that are as fast as a free core lets them be; what fewer reach may be chance, or the clock's first moments. */
const LEAST_FAST = 0.2;
/** A stretch was slowed down when it is slower than those by more than this and by more than chance. */
const STRETCH_AGREEMENT = 0.1;
/** Standard errors of a stretch's mean that chance may be. */
const CHANCE = 3;
/** Share of runs left out at each end of a mean. */
const TRIM = 0.05;
/** Share of the longest runs left out of the variation: what the measuring itself costs now and then is no service time. */
const TRIM_LONGEST = 0.01;

/**
 * On a shared machine a run waits for cores, and its wall time says more about the others. CPU time tells such runs apart: on
 * free cores wall = CPU / threads × s, where s is 1 for one thread and, for several, how far from perfectly they share the work;
 * the tenth of the runs with the least wall time per CPU time gives it. Runs near that are undisturbed and their wall times count.
 * Where fewer than 30 % are, the service time is CPU / threads × s. What CPU time can't show is a slower core: shared caches,
 * hyper-threads and the clock, which change within seconds. So stretches of runs are left out that are slower than the fastest fifth by more
 * than 10 % and what chance explains. Where another process did the work there is nothing to tell runs apart by, and all of them count.
 *
 * @param runs at least one.
 */
export function serviceTimeOf(runs: readonly Run[], threads: number): ServiceTime {
  const timed = runs.flatMap(({ wallMs, cpuMs }) => (cpuMs === null ? [] : [{ wallMs, cpuMs }]));
  return timed.length === runs.length ? timeByCpu(timed, threads) : timeByWall(runs);
}

interface TimedRun {
  readonly wallMs: number;
  readonly cpuMs: number;
}

function timeByWall(runs: readonly Run[]): ServiceTime {
  const times = runs.map(({ wallMs }) => wallMs);
  return { latencyMs: trimmedMean(times), cpuMs: null, scv: scvOf(times), disturbance: 1, basis: "wall" };
}

function timeByCpu(runs: readonly TimedRun[], threads: number): ServiceTime {
  const spreads = runs.map(run => (run.wallMs * threads) / Math.max(run.cpuMs, 1e-6));
  const spread = threads === 1 ? 1 : quantile(spreads, 0.1);
  const freeMs = (run: TimedRun): number => (run.cpuMs / threads) * spread;
  const undisturbed = runs.filter(run => run.wallMs <= freeMs(run) * TOLERANCE + TOLERANCE_MS);
  const basis = undisturbed.length >= LEAST_UNDISTURBED * runs.length ? "wall" : "cpu";
  const timeOf = basis === "wall" ? (run: TimedRun) => run.wallMs : freeMs;
  const steady = steadyRuns(basis === "wall" ? undisturbed : runs, timeOf);
  const times = steady.map(timeOf);
  const latencyMs = trimmedMean(times);
  return {
    latencyMs,
    cpuMs: trimmedMean(steady.map(run => run.cpuMs)),
    scv: scvOf(times),
    disturbance: Math.max(1, trimmedMean(runs.map(run => run.wallMs)) / latencyMs),
    basis,
  };
}

/** The runs without those stretches that a neighbour slowed down. */
function steadyRuns(runs: readonly TimedRun[], timeOf: (run: TimedRun) => number): readonly TimedRun[] {
  const stretches = stretchesOf(runs, timeOf);
  // What is left at the end is too short to be told anything by.
  if (stretches.length < 2) return runs;
  const means = stretches.map(({ times }) => mean(times));
  // Within stretches: what is between them is what is looked for.
  const errors = stretches.map(({ times }, i) => Math.sqrt(variance(times) / times.length) / (means[i] as number));
  const most = quantile(means, LEAST_FAST) * (1 + STRETCH_AGREEMENT + CHANCE * quantile(errors, 0.5));
  return stretches.flatMap((stretch, i) => ((means[i] as number) <= most ? stretch.runs : []));
}

interface Stretch {
  readonly runs: readonly TimedRun[];
  readonly times: readonly number[];
}

function stretchesOf(runs: readonly TimedRun[], timeOf: (run: TimedRun) => number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let from = 0;
  let sumMs = 0;
  for (const [i, run] of runs.entries()) {
    sumMs += timeOf(run);
    if (i + 1 - from < STRETCH_RUNS || sumMs < STRETCH_MS) continue;
    const own = runs.slice(from, i + 1);
    stretches.push({ runs: own, times: own.map(timeOf) });
    from = i + 1;
    sumMs = 0;
  }
  return stretches;
}

function scvOf(times: readonly number[]): number {
  const usual = [...times].sort((a, b) => a - b).slice(0, Math.ceil(times.length * (1 - TRIM_LONGEST)));
  return variance(usual) / mean(usual) ** 2;
}

/** The value below which a share of `q` of the values is; nearest rank. */
function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function trimmedMean(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length * TRIM);
  return mean(sorted.slice(cut, sorted.length - cut));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return mean(values.map(value => (value - middle) ** 2));
}
