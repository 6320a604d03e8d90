import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import type { ClientQuestion, Sample } from "./client-process.ts";
import type { Rig } from "./switcher-rig.ts";

const CONCURRENCY = 4;
/** Short turns, so that both sides of a round have the same neighbours. */
const TURN_SECONDS = 2;
/** Until then threads of the engine compile what is called often, on the same core. */
const WARM_UP_SECONDS = 10;

export interface Throughput {
  /** Median over the rounds. */
  readonly ratio: number;
  readonly servedRps: number;
  readonly bareRps: number;
  readonly rounds: number;
}

/** A closed loop of four clients against a bare loop, taking turns. Both run one row at a time with one thread. */
export async function throughput(rig: Rig, rounds: number): Promise<Throughput> {
  const bare = await rig.startBare(["slow-1000"], 0);
  const switcher = await rig.startSwitcher(2, 0);
  const client = await rig.startClient(1);
  const question: ClientQuestion = {
    kind: "closed",
    url: switcher.inferUrl,
    seconds: TURN_SECONDS,
    concurrency: CONCURRENCY,
  };
  const ratios: number[] = [];
  let served = 0;
  let runs = 0;
  try {
    await client.ask<readonly Sample[]>({ ...question, seconds: WARM_UP_SECONDS } satisfies ClientQuestion);
    for (let round = 0; round < rounds; round++) {
      if (round % 5 === 0) process.stderr.write(`throughput: round ${round + 1} of ${rounds}\n`);
      const before = (await bare.ask<BareAnswer>({ seconds: TURN_SECONDS / 2 } satisfies BareQuestion)).runs;
      const answered = (await client.ask<readonly Sample[]>(question)).filter(({ failure }) => failure === null).length;
      const after = (await bare.ask<BareAnswer>({ seconds: TURN_SECONDS / 2 } satisfies BareQuestion)).runs;
      served += answered;
      runs += before + after;
      ratios.push(answered / (before + after));
    }
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), client.stop()]);
  }
  const seconds = rounds * TURN_SECONDS;
  const ratio = ratios.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
  return { ratio, servedRps: served / seconds, bareRps: runs / seconds, rounds };
}
