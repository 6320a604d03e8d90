/** The suite `ladder`: what the choice of a variant for each batch is worth, and what it costs. */

import type { Stage } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import { pipelineFileAt, readPipeline } from "../../runtime/read-pipeline.ts";
import { askedParts } from "../asked-parts.ts";
import { type Figure, figure } from "../figure.ts";
import type { SuiteOptions } from "../suites.ts";
import { measureChoice } from "./choice.ts";
import { measureMixes } from "./mixes.ts";
import { type Circumstances, type Outcome, type RungModel, SLOT_MS, serveAlone } from "./one-replica.ts";
import { measureReal } from "./real.ts";
import { PRICE_RULES, RULES, type Rule } from "./rules.ts";
import { measureSimulated } from "./simulated.ts";
import { measureSlowMachine } from "./slow-machine.ts";

const PIPELINES = ["id-card", "video", "audio", "question-answering"];
const SEEDS = [1, 2];
/** As long as it takes for so many requests at the capacity of the lightest variant, within bounds, in slots of 100 ms. */
const REQUESTS = 6000;
const LEAST_SLOTS = 20;
const MOST_SLOTS = 1200;
/** Bursts come every 10 s, or twice in a run that is short, and last a fifth of that. */
const CYCLE_SLOTS = 100;
const STALL_MS = 30;
const STALLS = 20;
const HEADROOM = 0.75;
/** Rows of a batch of the heaviest variant; lighter ones have as many as take no longer. */
const TOP_BATCH = 4;
const MOST_BATCH = 32;

export async function ladderSuite({ only, rows, traces, isShort, isOneSeed }: SuiteOptions): Promise<Figure[]> {
  const pipelines = PIPELINES;
  const parts: Readonly<Record<string, () => Figure[] | Promise<Figure[]>>> = {
    rules: compareRules,
    choice: measureChoice,
    simulated: () => measureSimulated({ pipelines, traces, isShort }),
    slow: () => measureSlowMachine({ pipelines, isShort }),
    mixes: () => measureMixes(pipelines, isShort),
    real: () => measureReal({ pipelines, rows, extent: isShort ? "short" : isOneSeed ? "oneSeed" : "whole" }),
  };
  const figures: Figure[] = [];
  for (const part of askedParts(only, Object.keys(parts))) figures.push(...((await parts[part]?.()) ?? []));
  return figures;
}

interface Cell {
  readonly name: string;
  readonly circumstances: Circumstances;
}

/** Every stage of our pipelines by itself, on one replica, with half of the SLO, under loads that no single variant suits. */
function cells(): readonly Cell[] {
  return PIPELINES.flatMap(name => {
    const pipeline = readPipeline(pipelineFileAt(name));
    return pipeline.stages.flatMap(stage => {
      const rungs = listRungs(stage);
      const lightest = rungs.at(-1);
      const middle = rungs[rungs.length >> 1];
      const [heaviest] = rungs;
      if (!heaviest || !lightest || !middle || rungs.length < 2) return [];
      const sloMs = pipeline.slo.latencyMs / pipeline.stages.length;
      const most = capacityRps(lightest);
      // Full batches of the rungs take about as long: 1 % of them stall.
      const everyMs = 100 * serviceMs(heaviest.profile, heaviest.maxBatch);
      const stalls = { everyMs, ms: STALL_MS };
      const common = { rungs, sloMs, headroom: HEADROOM, slower: 1, stalls: null };
      const slots = Math.round(Math.min(MOST_SLOTS, Math.max(LEAST_SLOTS, (1000 * REQUESTS) / (SLOT_MS * most))));
      // There must be enough stalls to learn from, and as many to be judged by.
      const stallSlots = Math.round(Math.min(MOST_SLOTS, Math.max(slots, (STALLS * everyMs) / SLOT_MS)));
      const cycle = Math.min(CYCLE_SLOTS, slots / 2);
      const burst = (slot: number): number => (slot % cycle < cycle / 5 ? 0.8 : 0.16) * most;
      const bursts = fillSlots(slots, burst);
      const loads = {
        flat: { ...common, ratesRps: fillSlots(slots, () => 0.85 * capacityRps(middle)) },
        bursts: { ...common, ratesRps: bursts },
        step: { ...common, ratesRps: fillSlots(slots, slot => (slot < slots / 2 ? 0.1 : 0.8) * most) },
        stalls: {
          ...common,
          ratesRps: fillSlots(stallSlots, burst).map(rate => (rate * everyMs) / (everyMs + STALL_MS)),
          stalls,
        },
        slower: { ...common, ratesRps: bursts.map(rate => rate / 1.5), slower: 1.5 },
        faster: { ...common, ratesRps: bursts.map(rate => rate / 0.67), slower: 0.67 },
      };
      return Object.entries(loads).map(([load, circumstances]) => ({
        name: `${name}/${stage.name}/${load}`,
        circumstances,
      }));
    });
  });
}

function fillSlots(length: number, rate: (slot: number) => number): readonly number[] {
  return Array.from({ length }, (_, slot) => rate(slot));
}

function compareRules(): Figure[] {
  const gains: Record<string, number> = {};
  const avoidable: Record<"stalls" | "others", Record<string, number>> = { stalls: {}, others: {} };
  const gainsByLoad: Record<string, Record<string, number[]>> = {};
  for (const { name, circumstances } of cells()) {
    const outcomes = measureRules(circumstances);
    const best = Math.max(
      ...circumstances.rungs.map(({ variant }) =>
        mean(serveSeeds(circumstances, RULES.ladder, [variant.name]).map(run => run.effectivePercent)),
      ),
    );
    const load = name.slice(name.lastIndexOf("/") + 1);
    const worst = avoidable[circumstances.stalls === null ? "others" : "stalls"];
    const line = outcomes.map(([rule, outcome]) => {
      gains[rule] = (gains[rule] ?? 0) + outcome.effectivePercent - best;
      const byRule = gainsByLoad[load] ?? {};
      byRule[rule] = [...(byRule[rule] ?? []), outcome.effectivePercent - best];
      gainsByLoad[load] = byRule;
      worst[rule] = Math.max(worst[rule] ?? 0, outcome.avoidablePercent);
      return `${rule} ${(outcome.effectivePercent - best).toFixed(2)} (missed ${outcome.missedPercent.toFixed(2)}, avoidable ${outcome.avoidablePercent.toFixed(2)}, p50 ${outcome.p50Ms.toFixed(1)})`;
    });
    process.stderr.write(`${name}: best fixed ${best.toFixed(2)} %; less it: ${line.join("; ")}\n`);
  }
  for (const [load, byRule] of Object.entries(gainsByLoad)) {
    const means = Object.entries(byRule).map(([rule, all]) => `${rule} ${mean(all).toFixed(2)}`);
    process.stderr.write(`mean of ${load}: ${means.join(", ")}\n`);
  }
  const count = cells().length;
  const bestPrice = Object.keys(PRICE_RULES).reduce((best, rule) =>
    (gains[rule] ?? 0) > (gains[best] ?? 0) ? rule : best,
  );
  const meanGains = Object.entries(keepPrice(gains, bestPrice)).map(
    ([rule, gain]) => [rule, round(gain / count)] as const,
  );
  const [ours = Number.NaN, ...rivals] = meanGains.map(([, gain]) => gain);
  return [
    figure("ladder.rules.lead", round(ours - Math.max(...rivals)), {
      against: Object.fromEntries(meanGains),
      note: `points of effective accuracy above the best single variant of each cell, picked afterwards, as a mean over ${count} cells: one replica of each stage by itself, ${SEEDS.length} seeds of about ${REQUESTS} requests each; \`price\` is ${bestPrice}, the best of ${Object.keys(PRICE_RULES).length} prices over all cells, picked afterwards, which favours it; \`random\` splits rows at the shares of a plan for the cell's mean rate`,
    }),
    compareAvoidable(
      "ladder.rules.avoidableMissPercent",
      keepPrice(avoidable.others, bestPrice),
      "loads without stalls",
    ),
    compareAvoidable(
      "ladder.rules.avoidableMissPercentInStalls",
      keepPrice(avoidable.stalls, bestPrice),
      `stalls of ${STALL_MS} ms`,
    ),
  ];
}

function compareAvoidable(name: string, worst: Readonly<Record<string, number>>, under: string): Figure {
  const { ladder = Number.NaN, ...rivals } = Object.fromEntries(
    Object.entries(worst).map(([rule, percent]) => [rule, round(percent)]),
  );
  return figure(name, ladder, {
    against: rivals,
    note: `requests of the second half of a run that were missed and that the lightest variant alone would have answered in time under the same arrivals and stalls, worst cell under ${under}`,
  });
}

/** The same with one price, which is called `price`. */
function keepPrice(byRule: Readonly<Record<string, number>>, kept: string): Readonly<Record<string, number>> {
  const others = Object.entries(byRule).filter(([rule]) => !(rule in PRICE_RULES));
  return { ...Object.fromEntries(others), price: byRule[kept] ?? Number.NaN };
}

type MeanOutcome = Pick<Outcome, "effectivePercent" | "missedPercent" | "p50Ms"> & {
  readonly avoidablePercent: number;
};

/** All rules, and the price rule at every price, each as the mean over the seeds. */
function measureRules(circumstances: Circumstances): readonly (readonly [rule: string, outcome: MeanOutcome])[] {
  const floor = circumstances.rungs.at(-1)?.variant.name ?? "";
  const lightest = serveSeeds(circumstances, RULES.ladder, [floor]);
  return Object.entries({ ...RULES, ...PRICE_RULES }).map(([rule, choose]) => {
    const runs = serveSeeds(circumstances, choose);
    const outcome = {
      effectivePercent: mean(runs.map(run => run.effectivePercent)),
      missedPercent: mean(runs.map(run => run.missedPercent)),
      p50Ms: mean(runs.map(run => run.p50Ms)),
      avoidablePercent: mean(runs.map((run, at) => countAvoidable(circumstances, run, lightest[at]?.inTime ?? []))),
    };
    return [rule, outcome] as const;
  });
}

function serveSeeds(circumstances: Circumstances, rule: Rule, only?: readonly string[]): readonly Outcome[] {
  return SEEDS.map(seed => serveAlone(circumstances, rule, seed, only));
}

/** The share of the second half's requests, in percent, that were missed although the lightest variant alone was in time for them. */
function countAvoidable({ ratesRps }: Circumstances, run: Outcome, lightestInTime: readonly boolean[]): number {
  // In the first half it learns how long batches take.
  const from = run.arrivals.findIndex(ms => ms >= (ratesRps.length * SLOT_MS) / 2);
  const inTime = run.inTime.slice(from);
  const missed = inTime.filter((was, at) => !was && lightestInTime[from + at] === true).length;
  return (100 * missed) / inTime.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function listRungs({ variants }: Stage): readonly RungModel[] {
  const known = variants.flatMap(({ name, accuracy, profile }) =>
    profile && accuracy !== null ? [{ variant: { name, accuracy }, profile, maxBatch: 1 }] : [],
  );
  // A variant that is slower and no more accurate than another one is no rung.
  const rungs = known
    .filter(
      one => !known.some(other => readRowMs(other) < readRowMs(one) && other.variant.accuracy >= one.variant.accuracy),
    )
    .toSorted((a, b) => readRowMs(b) - readRowMs(a));
  const mostMs = serviceMs(rungs[0]?.profile ?? { points: [] }, TOP_BATCH);
  return rungs.map(rung => {
    const batches = rung.profile.points.filter(({ latencyMs, batch }) => batch <= MOST_BATCH && latencyMs <= mostMs);
    return { ...rung, maxBatch: Math.max(1, ...batches.map(({ batch }) => batch)) };
  });
}

function readRowMs({ profile }: RungModel): number {
  return profile.points[0]?.latencyMs ?? 0;
}

/** Rows that one replica serves in full batches. */
function capacityRps({ profile, maxBatch }: RungModel): number {
  return (1000 * maxBatch) / serviceMs(profile, maxBatch);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
