import { readFileSync } from "node:fs";
import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import { type Figure, figure } from "./figure.ts";
import { fittedEnds, rounded } from "./samples.ts";
import { type BenchVariant, type Rig, switchTo } from "./switcher-rig.ts";

const SECONDS = 8;
/**
 * Switches until memory is what it stays, and beyond. V8 collects the old generation, which a Switch hardly fills, once in about two thousand: the
 * line begins after the first collection and has two more in it.
 */
const SETTLED = 1500;
const SWITCHES = 5500;

/** Resident memory beside the sessions, and how it grows when sessions come and go. */
export async function memoryFigures(rig: Rig): Promise<Figure[]> {
  const variants = [rig.variant("slow", 1000, 4), rig.variant("middle", 2000, 3.6), rig.variant("light", 3000, 3.2)];
  return [await aboveSessions(rig, variants), await growth(rig, variants)];
}

/** With two sessions after a thousand requests to each, and of a bare process with the same. */
async function aboveSessions(rig: Rig, variants: readonly BenchVariant[]): Promise<Figure> {
  const two = [variants[0], variants[2]].flatMap(variant => variant ?? []);
  const bare = await rig.startBare(two, null);
  const switcher = await rig.startSwitcher({ variants, sessions: 2, core: null });
  const client = await rig.startClient(null);
  const question = { kind: "closed", target: switcher.rest, seconds: SECONDS, concurrency: 4 } as const;
  try {
    await client.ask(question);
    await switchTo(switcher, two[1]?.name ?? "");
    await client.ask(question);
    const { rssMiB } = await bare.ask<BareAnswer>({ seconds: SECONDS } satisfies BareQuestion);
    const switcherMiB = rssOf(switcher.child.pid);
    return figure("switcher.rssAboveSessionsMiB", rounded(switcherMiB - rssMiB), {
      against: { switcherMiB: rounded(switcherMiB), bareMiB: rounded(rssMiB) },
      note: "two sessions, after 2000 requests",
    });
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), client.stop()]);
  }
}

/** Every Switch loads a session and gives one up, while requests are served. */
async function growth(rig: Rig, variants: readonly BenchVariant[]): Promise<Figure> {
  const switches = rig.isShort ? SETTLED + 100 : SWITCHES;
  const switcher = await rig.startSwitcher({ variants, sessions: 2, core: null });
  const client = await rig.startClient(null);
  let isSwitching = true;
  const load = async (): Promise<void> => {
    while (isSwitching) await client.ask({ kind: "closed", target: switcher.rest, seconds: 1, concurrency: 1 });
  };
  const loaded = load();
  const readings: number[] = [];
  try {
    for (let i = 1; i <= switches; i++) {
      await switchTo(switcher, variants[i % variants.length]?.name ?? "");
      if (i > SETTLED) readings.push(rssOf(switcher.child.pid));
      if (i % 500 === 0) process.stderr.write(`memory: ${i} of ${switches} Switches\n`);
    }
    const { first: settledMiB, last: endMiB } = fittedEnds(readings);
    const isWhole = switches >= SWITCHES;
    return figure("switcher.memory.growth", rounded(Math.max(0, 100 * (endMiB / settledMiB - 1))), {
      against: { settledMiB: rounded(settledMiB), endMiB: rounded(endMiB), switches },
      isWhole,
      note: `along the line that fits best to readings after each Switch from ${SETTLED} on${isWhole ? "" : "; too few to count"}`,
    });
  } finally {
    isSwitching = false;
    await loaded;
    await Promise.all([switcher.child.stop(), client.stop()]);
  }
}

function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
