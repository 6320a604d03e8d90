import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import type { ClientQuestion, Sample } from "./client-process.ts";
import type { Rig } from "./switcher-rig.ts";

const ROUNDS = 5;
const CONCURRENCY = 4;

export interface Throughput {
  readonly servedRps: number;
  readonly bareRps: number;
  readonly modelMs: number;
}

/**
 * A closed loop of four clients against a bare loop, taking turns so that both have the same neighbours. Both run one row at
 * a time with one thread.
 */
export async function throughput(rig: Rig, seconds: number): Promise<Throughput> {
  const bare = await rig.startBare(["slow-1000"], 0);
  const switcher = await rig.startSwitcher(2, 0);
  const client = await rig.startClient(1);
  const question: ClientQuestion = { kind: "closed", url: switcher.inferUrl, seconds, concurrency: CONCURRENCY };
  try {
    await client.ask<readonly Sample[]>({ ...question, seconds: 2 });
    let served = 0;
    let runs = 0;
    for (let round = 0; round < ROUNDS; round++) {
      runs += (await bare.ask<BareAnswer>({ seconds } satisfies BareQuestion)).runs;
      served += (await client.ask<readonly Sample[]>(question)).filter(({ failure }) => failure === null).length;
    }
    const total = ROUNDS * seconds;
    return { servedRps: served / total, bareRps: runs / total, modelMs: (1000 * total) / runs };
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), client.stop()]);
  }
}
