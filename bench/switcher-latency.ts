import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import type { ClientTarget } from "./client-process.ts";
import { type Figure, figure } from "./figure.ts";
import { latencies, median, quantile, rounded, type Sample } from "./samples.ts";
import type { BenchClient, BenchVariant, Rig } from "./switcher-rig.ts";

const WARM_UP_SECONDS = 8;
const TURN_SECONDS = 2;
const MIN_SAMPLES = 10_000;
const LOAD = 0.8;
const SETTLE_SECONDS = 20;
const STARTS = 2;
const ROUNDS = 10;

/** What a request waits for beside the model: one client, and at 80 % load. */
export async function latencyFigures(rig: Rig): Promise<Figure[]> {
  return [...(await added(rig)), await tail(rig)];
}

/** Median at one client above the median of the model alone. */
async function added(rig: Rig): Promise<Figure[]> {
  const variant = rig.variant("half", 2000, 0.5);
  const bare = await rig.startBare([variant], 0);
  const switcher = await rig.startSwitcher({ variants: [variant], sessions: 2, core: 0 });
  const empty = await rig.startEmpty(variant, 0);
  const client = await rig.startClient(1);
  const rest: number[] = [];
  const grpc: number[] = [];
  const alone: number[] = [];
  const unserved: number[] = [];
  try {
    for (const target of [switcher.rest, switcher.grpc, empty.grpc])
      await client.ask({ kind: "closed", target, seconds: WARM_UP_SECONDS, concurrency: 1 });
    for (let round = 0; round < (rig.isShort ? 3 : 9); round++) {
      alone.push((await bare.ask<BareAnswer>({ seconds: TURN_SECONDS } satisfies BareQuestion)).p50Ms);
      rest.push(await medianOf(client, switcher.rest));
      grpc.push(await medianOf(client, switcher.grpc));
      unserved.push(await medianOf(client, empty.grpc));
    }
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), empty.child.stop(), client.stop()]);
  }
  const bareMs = median(alone);
  const note = "at one client, 45 KB of raw data a request";
  return [
    figure("switcher.added.restP50Ms", rounded(median(rest) - bareMs), { against: { bareMs: rounded(bareMs) }, note }),
    figure("switcher.added.grpcP50Ms", rounded(median(grpc) - bareMs), {
      against: { emptyMs: rounded(median(unserved)), bareMs: rounded(bareMs) },
      note: `${note}, with grpc-js' own client; empty: the same call to a gRPC server on grpc-js that knows one answer`,
    }),
  ];
}

async function medianOf(client: BenchClient, target: ClientTarget): Promise<number> {
  const samples = await client.ask({ kind: "closed", target, seconds: TURN_SECONDS, concurrency: 1 });
  return quantile(latencies(samples), 0.5);
}

type Rounds = (readonly Sample[])[];

/**
 * Both servers get the same arrivals, at 80 % of what the slower one of them can do, in rounds. The median of the rounds' ratios counts: if the
 * machine stands still once, for 50 ms, that is the 99th percentile of all rounds together. Both are started several times: where in memory
 * a process happens to lie makes it some percent faster or slower for as long as it runs.
 */
async function tail(rig: Rig): Promise<Figure> {
  const variant = rig.variant("half", 2000, 0.5);
  const rounds: readonly [Rounds, Rounds] = [[], []];
  const ratesRps: number[] = [];
  for (let start = 0; start < (rig.isShort ? 1 : STARTS); start++) ratesRps.push(await tailOnce(rig, variant, rounds));
  const [ours, theirs] = [tailOf(rounds[0]), tailOf(rounds[1])];
  const ratio = median(ours.roundP99Ms.map((p99Ms, round) => p99Ms / (theirs.roundP99Ms[round] ?? Number.NaN)));
  const lost = rounds.flat(2).filter(({ failure }) => failure !== null).length;
  const isWhole = Math.min(ours.samples, theirs.samples) >= MIN_SAMPLES && lost === 0;
  return figure("switcher.tail80.p99Ratio", rounded(ratio), {
    against: {
      p99Ms: rounded(median(ours.roundP99Ms)),
      featurelessP99Ms: rounded(median(theirs.roundP99Ms)),
      p50Ms: rounded(ours.p50Ms),
      featurelessP50Ms: rounded(theirs.p50Ms),
      togetherP99Ms: rounded(ours.togetherP99Ms),
      featurelessTogetherP99Ms: rounded(theirs.togetherP99Ms),
      rateRps: rounded(median(ratesRps)),
      failed: lost,
    },
    isWhole,
    note: `p99: medians of rounds; together: of all rounds; batches of up to 8, model of 0.5 ms, ${ours.samples} requests each${isWhole ? "" : "; too few to count, or some failed"}`,
  });
}

/** Adds the samples of both servers by round, and gives the load. */
async function tailOnce(rig: Rig, variant: BenchVariant, rounds: readonly [Rounds, Rounds]): Promise<number> {
  const plain = await rig.startFeatureless(variant, 8, 0);
  const switcher = await rig.startSwitcher({ variants: [variant], sessions: 2, core: 0, batch: 8 });
  const client = await rig.startClient(1);
  const targets = [switcher.rest, plain.rest] as const;
  try {
    const capacities: number[] = [];
    for (const target of targets) {
      await client.ask({ kind: "closed", target, seconds: WARM_UP_SECONDS, concurrency: 16 });
      const samples = await client.ask({ kind: "closed", target, seconds: 4, concurrency: 16 });
      capacities.push(latencies(samples).length / 4);
    }
    const rateRps = LOAD * Math.min(...capacities);
    const open = { kind: "open", rateRps } as const;
    // The engine has compiled them for the load that they had so far, and takes its time to do so for another one.
    for (const target of targets)
      await client.ask({ ...open, target, seconds: rig.isShort ? 2 : SETTLE_SECONDS, seed: 0 });
    const order = [0, 1] as const;
    for (let round = 0; round < (rig.isShort ? 2 : ROUNDS); round++)
      for (const i of round % 2 === 0 ? order : order.toReversed())
        rounds[i].push(await client.ask({ ...open, target: targets[i], seconds: 3, seed: rounds[i].length + 1 }));
    return rateRps;
  } finally {
    await Promise.all([plain.child.stop(), switcher.child.stop(), client.stop()]);
  }
}

function tailOf(rounds: readonly (readonly Sample[])[]) {
  const all = latencies(rounds.flat());
  return {
    samples: all.length,
    p50Ms: quantile(all, 0.5),
    roundP99Ms: rounds.map(round => quantile(latencies(round), 0.99)),
    togetherP99Ms: quantile(all, 0.99),
  };
}
