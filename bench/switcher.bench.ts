import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canPin } from "./child.ts";
import { type Figure, figure } from "./figure.ts";
import { memoryAboveSessions } from "./switcher-memory.ts";
import { Rig } from "./switcher-rig.ts";
import { type SwitchPlan, switchUnderLoad } from "./switcher-switches.ts";
import { throughput } from "./switcher-throughput.ts";

const FULL: SwitchPlan = { rounds: 44, switchesPerRound: 5, restSeconds: 4 };
const SHORT: SwitchPlan = { rounds: 2, switchesPerRound: 6, restSeconds: 3 };
const MIN_SWITCHES = 200;
const MIN_SAMPLES = 10_000;

/** What a switcher costs beside its sessions, and what a Switch costs those who send requests meanwhile. */
export async function switcherSuite(): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const folder = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  try {
    const rig = await Rig.calibrate(folder, isShort);
    const plan = isShort ? SHORT : FULL;
    const cold = await switchUnderLoad(rig, plan, "cold");
    const resident = await switchUnderLoad(rig, { ...plan, rounds: Math.ceil(plan.rounds / 10) }, "resident");
    const rate = await throughput(rig, isShort ? 3 : 15);
    const memory = await memoryAboveSessions(rig);
    const isWhole = cold.switches >= MIN_SWITCHES && cold.samples >= MIN_SAMPLES && cold.restSamples >= MIN_SAMPLES;
    const short = isWhole ? "" : "; too short to count";
    const load = `${cold.switches} Switches that load, at ${round(cold.rateRps)} rps, half of what the slower variant can do${short}`;
    return [
      figure("switcher.switchFailed", cold.failed + resident.failed, {
        against: { requests: cold.requests + resident.requests, switches: cold.switches + resident.switches },
        isWhole,
        note: cold.firstFailure ?? resident.firstFailure ?? load,
      }),
      figure("switcher.switchP99Ratio", round(cold.p99Ms / cold.restP99Ms), {
        against: {
          p99Ms: round(cold.p99Ms),
          restP99Ms: round(cold.restP99Ms),
          p50Ms: round(cold.p50Ms),
          restP50Ms: round(cold.restP50Ms),
          switchMs: round(cold.switchMs),
          residentSwitchMs: round(resident.switchMs),
        },
        isWhole,
        note: load,
      }),
      figure("switcher.throughputRatio", round(rate.ratio), {
        against: { servedRps: round(rate.servedRps), bareRps: round(rate.bareRps), rounds: rate.rounds },
        note: canPin
          ? "median of rounds; server and bare loop on one core, client on another"
          : "no core was set apart",
      }),
      figure("switcher.rssAboveSessionsMiB", round(memory.switcherMiB - memory.bareMiB), {
        against: { switcherMiB: round(memory.switcherMiB), bareMiB: round(memory.bareMiB) },
        note: "two sessions, after 2000 requests",
      }),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
