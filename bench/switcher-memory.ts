import { readFileSync } from "node:fs";
import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import type { ClientQuestion, Sample } from "./client-process.ts";
import { type Rig, switchTo } from "./switcher-rig.ts";

const SECONDS = 8;

/** Resident memory of a switcher with two sessions after a thousand requests to each, and of a bare process with the same. */
export async function memoryAboveSessions(
  rig: Rig,
): Promise<{ readonly switcherMiB: number; readonly bareMiB: number }> {
  const bare = await rig.startBare(["slow-1000", "light-3000"], null);
  const switcher = await rig.startSwitcher(2, null);
  const client = await rig.startClient(null);
  const question: ClientQuestion = { kind: "closed", url: switcher.inferUrl, seconds: SECONDS, concurrency: 4 };
  try {
    await client.ask<readonly Sample[]>(question);
    await switchTo(switcher, "light-3000");
    await client.ask<readonly Sample[]>(question);
    const { rssMiB } = await bare.ask<BareAnswer>({ seconds: SECONDS } satisfies BareQuestion);
    return { switcherMiB: rssOf(switcher.child.pid), bareMiB: rssMiB };
  } finally {
    await Promise.all([bare.stop(), switcher.child.stop(), client.stop()]);
  }
}

function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
