import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import { canPin } from "./child.ts";
import { type Figure, figure } from "./figure.ts";
import { median, rounded } from "./samples.ts";
import { type BenchVariant, type Rig, switchTo } from "./switcher-rig.ts";

/** Short turns, so that both sides of a round have the same neighbours. */
const TURN_SECONDS = 2;
/**
 * Until then threads of the engine compile what is called often, on the same core. With a light model first, so that as much is called as
 * in minutes of the model that is measured.
 */
const WARM_UP_SECONDS = 10;
const WARM_UP_MS = 0.05;
const NOTE = canPin
  ? "median of rounds; server and bare loop on one core, client on another"
  : "no core was set apart for the server";

interface Throughput {
  readonly ratio: number;
  readonly servedRps: number;
  readonly bareRps: number;
}

/** How much of what the model alone can do the switcher serves, to few and to many clients. */
export async function throughputFigures(rig: Rig): Promise<Figure[]> {
  const ofFour = rig.variant("four", 1000, 4);
  const ofHalf = rig.variant("half", 2000, 0.5);
  const four = await throughput(rig, ofFour, 1, [4]);
  const manyOfFour = await throughput(rig, ofFour, 8, [8, 32]);
  const manyOfHalf = await throughput(rig, ofHalf, 8, [8, 32]);
  const [alone] = four;
  return [
    figure("switcher.throughputRatio", rounded(alone?.ratio ?? Number.NaN), {
      against: { servedRps: rounded(alone?.servedRps ?? 0), bareRps: rounded(alone?.bareRps ?? 0), clients: 4 },
      note: NOTE,
    }),
    worst("switcher.throughput4ms.vsBare", manyOfFour),
    worst("switcher.throughput05ms.vsBare", manyOfHalf),
  ];
}

function worst(name: string, [few, many]: readonly Throughput[]): Figure {
  const ratios = [few?.ratio ?? Number.NaN, many?.ratio ?? Number.NaN] as const;
  return figure(name, rounded(Math.min(...ratios)), {
    against: {
      at8: rounded(ratios[0]),
      at32: rounded(ratios[1]),
      servedRps: rounded(many?.servedRps ?? 0),
      bareRps: rounded(many?.bareRps ?? 0),
    },
    note: `the lower one of 8 and 32 clients, batches of up to 8; ${NOTE}`,
  });
}

/** Closed loops of so many clients against a bare loop of one row at a time, taking turns; one thread each. */
async function throughput(
  rig: Rig,
  variant: BenchVariant,
  batch: number,
  clientCounts: readonly number[],
): Promise<readonly Throughput[]> {
  const rounds = rig.isShort ? 3 : 11;
  const bare = await rig.startBare([variant], 0);
  const light = rig.variant("light", 9000, WARM_UP_MS);
  const switcher = await rig.startSwitcher({ variants: [light, variant], sessions: 2, core: 0, batch });
  const client = await rig.startClient(1);
  const ask = (seconds: number, concurrency: number) =>
    client.ask({ kind: "closed", target: switcher.rest, seconds, concurrency });
  const results: Throughput[] = [];
  try {
    await ask(WARM_UP_SECONDS, 8);
    await switchTo(switcher, variant.name, batch);
    await ask(TURN_SECONDS, clientCounts[0] ?? 1);
    for (const concurrency of clientCounts) {
      const ratios: number[] = [];
      let served = 0;
      let runs = 0;
      for (let round = 0; round < rounds; round++) {
        const before = (await bare.ask<BareAnswer>({ seconds: TURN_SECONDS / 2 } satisfies BareQuestion)).runs;
        const samples = await ask(TURN_SECONDS, concurrency);
        const answered = samples.filter(({ failure }) => failure === null).length;
        const after = (await bare.ask<BareAnswer>({ seconds: TURN_SECONDS / 2 } satisfies BareQuestion)).runs;
        served += answered;
        runs += before + after;
        ratios.push(answered / (before + after));
      }
      const seconds = rounds * TURN_SECONDS;
      results.push({ ratio: median(ratios), servedRps: served / seconds, bareRps: runs / seconds });
    }
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), client.stop()]);
  }
  return results;
}
