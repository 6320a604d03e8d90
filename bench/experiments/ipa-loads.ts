import type { Past } from "../../cli/simulate/past.ts";
import { generateLoad } from "../../load/generate-load.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { scaleLoad } from "../../load/scale-load.ts";
import { openBenchTraces } from "../load-traces.ts";
import { trainedPasts } from "./trained-pasts.ts";

export interface ExperimentLoad {
  readonly name: string;
  readonly load: LoadTrace;
  /** What lay before it. */
  readonly before: LoadTrace;
  /** What a scaler knows of that. */
  readonly past: Past;
}

type Part = Omit<ExperimentLoad, "past">;

/** IPA divides the load by 8 and cuts off the fraction, which takes the chance out of it; here each request stays with chance 1/8. */
const SHARE = 1 / 8;
const SEED = 1;
/** Before the excerpt; not counted. */
export const WARM_UP_SECONDS = 120;

/** The excerpts of IPA's configurations, in seconds of the Twitter load; one that has two parts is played one after the other, so that the second comes at another time of the hour. */
const EXCERPTS = {
  bursty: [[1_301_160, 1_302_360]],
  steadyLow: [[1_299_600, 1_300_800]],
  steadyHigh: [
    [1_768_800, 1_769_400],
    [1_768_800, 1_769_400],
  ],
  fluctuating: [
    [1_301_400, 1_302_000],
    [1_308_600, 1_309_200],
  ],
} as const satisfies Readonly<Record<string, readonly (readonly [number, number])[]>>;
const EXCERPT_NAMES = Object.keys(EXCERPTS) as (keyof typeof EXCERPTS)[];

/** Loads of the same kinds where the recorded ones are not: rates as theirs, an eighth included. */
const GENERATED = {
  bursty: { kind: "states", factors: [0.6, 1, 1.8], meanSeconds: 60 },
  steadyLow: { kind: "wander", memorySeconds: 600, sigma: 0.03 },
  steadyHigh: { kind: "wander", memorySeconds: 600, sigma: 0.03 },
  fluctuating: { kind: "season", periodSeconds: 600, amplitude: 0.5, topSeconds: 300 },
} as const;
const GENERATED_RPS: Readonly<Record<keyof typeof GENERATED, number>> = {
  bursty: 12,
  steadyLow: 9,
  steadyHigh: 25,
  fluctuating: 14,
};

/** The four loads of IPA's evaluation, 20 minutes each, with the days before them. */
export async function ipaLoads(
  folder: string | null,
  isShort: boolean,
): Promise<{ readonly note: string; readonly loads: readonly ExperimentLoad[] }> {
  const { note, twitter } = openBenchTraces(folder, isShort);
  const isRecorded = note.startsWith("recorded");
  const parts = isRecorded
    ? EXCERPT_NAMES.map(name => cutExcerpt(name, twitter))
    : (Object.keys(GENERATED) as (keyof typeof GENERATED)[]).map(generated);
  const chosen = isShort ? parts.slice(0, 1) : parts;
  process.stderr.write(`training networks on what lies before ${chosen.map(({ name }) => name).join(", ")}\n`);
  const pasts = await trainedPasts(chosen.map(({ before }) => before));
  return {
    note: isRecorded
      ? "IPA's four excerpts of the Twitter load, each request kept with chance 1/8; the forecaster has seen the days before, and its network was trained on them"
      : "generated loads of the kinds of IPA's four excerpts, since the recorded ones are not here",
    loads: chosen.map((part, i) => ({ ...part, past: pasts[i] as Past })),
  };
}

/** One of the excerpts, with all that the recorded load has before it. */
export function cutExcerpt(name: keyof typeof EXCERPTS, twitter: LoadTrace): Part {
  const parts: readonly (readonly [number, number])[] = EXCERPTS[name];
  const begin = (parts[0]?.[0] ?? 0) - WARM_UP_SECONDS;
  const past = { startMs: twitter.startMs, ratesRps: twitter.ratesRps.subarray(0, begin) };
  const seconds = [
    ...twitter.ratesRps.subarray(begin, begin + WARM_UP_SECONDS),
    ...parts.flatMap(([from, to]) => [...twitter.ratesRps.subarray(from, to)]),
  ];
  const raw = { startMs: twitter.startMs + begin * 1000, ratesRps: Float64Array.from(seconds) };
  return { name, load: scaleLoad(raw, SHARE, SEED), before: scaleLoad(past, SHARE, SEED) };
}

function generated(name: keyof typeof GENERATED, i: number): Part {
  const spec = { baseRps: GENERATED_RPS[name], groupSize: 1, components: [GENERATED[name]] };
  const hours = 6 * 3600;
  const whole = generateLoad(spec, hours + WARM_UP_SECONDS + 1200, SEED + i);
  return {
    name,
    load: { startMs: whole.startMs + hours * 1000, ratesRps: whole.ratesRps.slice(hours) },
    before: { startMs: whole.startMs, ratesRps: whole.ratesRps.subarray(0, hours) },
  };
}
