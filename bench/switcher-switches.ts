import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../load/seeded-random.ts";
import { type Figure, figure } from "./figure.ts";
import { latencies, median, quantile, rounded, type Sample, sorted, worstInTurn } from "./samples.ts";
import { type BenchVariant, type Rig, switchTo } from "./switcher-rig.ts";

/** Switches follow each other at this distance; requests due until this long after a Switch belong to its window. */
const SPACING_MS = 1000;
const WINDOW_AFTER_MS = 500;
const LOAD = 0.5;
const MIN_SWITCHES = 200;
const MIN_SAMPLES = 10_000;

const SHORT = { rounds: 2, switchesPerRound: 6, restSeconds: 3 } as const;
const WHOLE = { rounds: 44, switchesPerRound: 5, restSeconds: 4 } as const;

interface Plan {
  /** In the order in which they are switched to; the first one is the slowest. */
  readonly variants: readonly BenchVariant[];
  /** Each round is a short time at rest and then Switches, so that both have the same neighbours. */
  readonly rounds: number;
  readonly switchesPerRound: number;
  readonly restSeconds: number;
  /** Requests come evenly spaced; missing: they are a Poisson process. */
  readonly isEven?: boolean;
}

interface Switches {
  readonly switches: number;
  readonly samples: readonly Sample[];
  /** Of the samples those that a Switch may have touched. */
  readonly during: readonly number[];
  /** Of all samples but those at rest. */
  readonly loaded: readonly number[];
  readonly atRest: readonly number[];
  /** The worst at rest of a server that loses no time: what the requests' arrivals alone make some of them wait. */
  readonly inTurnMs: number;
  /** Median, as the admin endpoint's client sees it. */
  readonly switchMs: number;
  readonly rateRps: number;
}

/** What a Switch costs those who send requests meanwhile. */
export async function switchFigures(rig: Rig): Promise<Figure[]> {
  const plan = rig.isShort ? SHORT : WHOLE;
  const similar = [rig.variant("slow", 1000, 4), rig.variant("middle", 2000, 3.6), rig.variant("light", 3000, 3.2)];
  const cold = await switchUnderLoad(rig, { variants: similar, ...plan }, "cold");
  const few = { ...plan, rounds: Math.ceil(plan.rounds / 10) };
  const resident = await switchUnderLoad(rig, { variants: similar.slice(0, 2), ...few }, "resident");
  const unlike = await switchUnderLoad(rig, { variants: unlikeVariants(rig), ...plan }, "cold");
  return [...similarFigures(cold, resident), ...unlikeFigures(unlike)];
}

/** Two of each, so that every Switch loads: memory has room for two sessions. */
function unlikeVariants(rig: Rig): readonly BenchVariant[] {
  return [
    rig.variant("slow", 4000, 21),
    rig.variant("fast", 5000, 4),
    rig.variant("slow", 6000, 21),
    rig.variant("fast", 7000, 4),
  ];
}

/**
 * The longest that a Switch has anyone wait. Requests come evenly spaced, as when the servers of other projects were measured: of Poisson
 * arrivals at half of what a variant can do some wait for six others, whether or not anything is switched.
 */
export async function worstFigures(rig: Rig): Promise<Figure[]> {
  const plan = rig.isShort ? SHORT : WHOLE;
  const even = await switchUnderLoad(rig, { variants: unlikeVariants(rig), ...plan, isEven: true }, "cold");
  const { switches, samples, loaded, atRest, switchMs, rateRps } = even;
  const failures = samples.flatMap(({ failure }) => failure ?? []);
  // One that failed waited for nothing.
  const isWhole = switches >= MIN_SWITCHES && failures.length === 0;
  const slowMs = quantile(atRest, 0.5);
  const worstMs = loaded.at(-1) ?? Number.NaN;
  const load = `${switches} Switches between 4 and 21 ms that load, at ${rounded(rateRps)} evenly spaced rps${switches >= MIN_SWITCHES ? "" : "; too few to count"}`;
  return [
    figure("switcher.switch.worstMs", rounded(worstMs - slowMs), {
      against: {
        worstMs: rounded(worstMs),
        requests: loaded.length,
        slowerP50Ms: rounded(slowMs),
        restWorstMs: rounded(atRest.at(-1) ?? Number.NaN),
        switchMs: rounded(switchMs),
        failed: failures.length,
      },
      isWhole,
      note: failures[0]?.text ?? `beyond the slower variant's median at rest; ${load}`,
    }),
  ];
}

function similarFigures(cold: Switches, resident: Switches): Figure[] {
  const isWhole =
    cold.switches >= MIN_SWITCHES && cold.during.length >= MIN_SAMPLES && cold.atRest.length >= MIN_SAMPLES;
  const load = `${cold.switches} Switches that load, at ${rounded(cold.rateRps)} rps, half of what the slower variant can do${isWhole ? "" : "; too short to count"}`;
  const failures = [...cold.samples, ...resident.samples].flatMap(({ failure }) => failure ?? []);
  const p99 = { during: quantile(cold.during, 0.99), atRest: quantile(cold.atRest, 0.99) };
  return [
    figure("switcher.switchFailed", failures.length, {
      against: {
        requests: cold.samples.length + resident.samples.length,
        switches: cold.switches + resident.switches,
      },
      isWhole,
      note: failures[0]?.text ?? load,
    }),
    figure("switcher.switchP99Ratio", rounded(p99.during / p99.atRest), {
      against: {
        p99Ms: rounded(p99.during),
        restP99Ms: rounded(p99.atRest),
        p50Ms: rounded(quantile(cold.during, 0.5)),
        restP50Ms: rounded(quantile(cold.atRest, 0.5)),
        switchMs: rounded(cold.switchMs),
        residentSwitchMs: rounded(resident.switchMs),
      },
      isWhole,
      note: load,
    }),
  ];
}

function unlikeFigures({ switches, samples, during, atRest, inTurnMs, rateRps }: Switches): Figure[] {
  const isWhole = switches >= MIN_SWITCHES;
  const count = (kind: string) => samples.filter(({ failure }) => failure?.kind === kind).length;
  const note = `${switches} Switches between 4 and 21 ms that load, at ${rounded(rateRps)} rps${isWhole ? "" : "; too few to count"}`;
  const failure = samples.find(sample => sample.failure !== null)?.failure?.text;
  return [
    figure("switcher.switch.failed", count("refused") + count("wrong"), {
      against: { requests: samples.length, switches },
      isWhole,
      note: failure ?? note,
    }),
    figure("switcher.switch.lost", count("lost"), { against: { requests: samples.length }, isWhole, note }),
    figure("switcher.switch.p99Ratio", rounded(quantile(during, 0.99) / quantile(atRest, 0.99)), {
      against: {
        p99Ms: rounded(quantile(during, 0.99)),
        restP99Ms: rounded(quantile(atRest, 0.99)),
        samples: during.length,
        restSamples: atRest.length,
        worstMs: rounded(during.at(-1) ?? Number.NaN),
        restWorstMs: rounded(atRest.at(-1) ?? Number.NaN),
        restWorstInTurnMs: rounded(inTurnMs),
      },
      isWhole,
      note: `against the slower variant at rest; ${note}`,
    }),
  ];
}

/**
 * Open-loop load while the switcher switches, pooled over the windows of all Switches, against the slowest variant at rest. `cold`: memory
 * has room for two sessions, so that with more variants each Switch loads.
 */
async function switchUnderLoad(rig: Rig, plan: Plan, kind: "cold" | "resident"): Promise<Switches> {
  const { variants, isEven = false } = plan;
  const names = variants.map(({ name }) => name);
  const slowest = names[0] ?? "";
  const switcher = await rig.startSwitcher({ variants, sessions: 2, core: 0 });
  const client = await rig.startClient(1);
  const target = switcher.rest;
  try {
    const alone = await client.ask({ kind: "closed", target, seconds: 4, concurrency: 4 });
    const rateRps = (LOAD * alone.length) / 4;
    const rest: Sample[] = [];
    const all: Sample[] = [];
    const windows: { readonly fromMs: number; readonly toMs: number }[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      if (round % 5 === 0) process.stderr.write(`Switches that are ${kind}: round ${round + 1} of ${plan.rounds}\n`);
      await switchTo(switcher, slowest);
      await sleep(WINDOW_AFTER_MS);
      rest.push(
        ...(await client.ask({
          kind: "open",
          target,
          rateRps,
          seconds: plan.restSeconds,
          seed: isEven ? null : round,
        })),
      );
      const seconds = (plan.switchesPerRound + 1) * (SPACING_MS / 1000) + 1;
      const loaded = client.ask({ kind: "open", target, rateRps, seconds, seed: isEven ? null : 1000 + round });
      await sleep(SPACING_MS);
      // Switches must not keep step with even requests.
      const random = seededRandom(round);
      for (let i = 1; i <= plan.switchesPerRound; i++) {
        if (isEven) await sleep((random() * 1000) / rateRps);
        const window = await switchTo(switcher, names[i % names.length] ?? slowest);
        windows.push(window);
        await sleep(Math.max(0, SPACING_MS - (window.toMs - window.fromMs)));
      }
      all.push(...(await loaded));
    }
    // A request that was due shortly before a Switch may still have been under way when it began.
    const within = ({ dueMs, latencyMs }: Sample): boolean =>
      windows.some(({ fromMs, toMs }) => dueMs + latencyMs >= fromMs && dueMs <= toMs + WINDOW_AFTER_MS);
    return {
      switches: windows.length,
      samples: [...rest, ...all],
      during: latencies(all.filter(within)),
      loaded: latencies(all),
      atRest: latencies(rest),
      inTurnMs: worstInTurn(sorted(rest.map(({ dueMs }) => dueMs)), (LOAD * 1000) / rateRps),
      switchMs: median(windows.map(({ fromMs, toMs }) => toMs - fromMs)),
      rateRps,
    };
  } finally {
    await Promise.all([switcher.child.stop(), client.stop()]);
  }
}
