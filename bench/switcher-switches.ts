import { setTimeout as sleep } from "node:timers/promises";
import type { ClientQuestion, Sample } from "./client-process.ts";
import { type Rig, switchTo, VARIANTS } from "./switcher-rig.ts";

/** Switches follow each other at this distance; requests due until this long after a Switch belong to its window. */
const SPACING_MS = 1000;
const WINDOW_AFTER_MS = 500;
const LOAD = 0.5;

export interface SwitchPlan {
  /** Each round is a short time at rest and then Switches, so that both have the same neighbours. */
  readonly rounds: number;
  readonly switchesPerRound: number;
  readonly restSeconds: number;
}

export interface SwitchFigures {
  readonly switches: number;
  readonly requests: number;
  readonly failed: number;
  readonly firstFailure: string | null;
  readonly samples: number;
  readonly restSamples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly restP50Ms: number;
  readonly restP99Ms: number;
  /** Median, as the admin endpoint's client sees it. */
  readonly switchMs: number;
  readonly rateRps: number;
}

/**
 * Open-loop load while the switcher switches, pooled over the windows of all Switches, against the slowest variant at rest.
 * `cold`: memory has room for two of three variants, so each Switch loads; `resident`: two variants that both stay.
 */
export async function switchUnderLoad(rig: Rig, plan: SwitchPlan, kind: "cold" | "resident"): Promise<SwitchFigures> {
  const order = kind === "cold" ? VARIANTS : VARIANTS.slice(0, 2);
  const slowest = VARIANTS[0] ?? "slow-1000";
  const switcher = await rig.startSwitcher(2, null);
  const client = await rig.startClient(null);
  const ask = (question: ClientQuestion) => client.ask<readonly Sample[]>(question);
  const url = switcher.inferUrl;
  try {
    const alone = await ask({ kind: "closed", url, seconds: 4, concurrency: 4 });
    const rateRps = (LOAD * alone.length) / 4;
    const rest: Sample[] = [];
    const all: Sample[] = [];
    const windows: { readonly fromMs: number; readonly toMs: number }[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      if (round % 5 === 0) process.stderr.write(`Switches that are ${kind}: round ${round + 1} of ${plan.rounds}\n`);
      await switchTo(switcher, slowest);
      await sleep(WINDOW_AFTER_MS);
      rest.push(...(await ask({ kind: "open", url, rateRps, seconds: plan.restSeconds, seed: round })));
      const seconds = (plan.switchesPerRound + 1) * (SPACING_MS / 1000) + 1;
      const loaded = ask({ kind: "open", url, rateRps, seconds, seed: 1000 + round });
      await sleep(SPACING_MS);
      for (let i = 1; i <= plan.switchesPerRound; i++) {
        const window = await switchTo(switcher, order[i % order.length] ?? slowest);
        windows.push(window);
        await sleep(Math.max(0, SPACING_MS - (window.toMs - window.fromMs)));
      }
      all.push(...(await loaded));
    }
    return summarise(rest, all, windows, rateRps);
  } finally {
    await Promise.all([switcher.child.stop(), client.stop()]);
  }
}

function summarise(
  rest: readonly Sample[],
  all: readonly Sample[],
  windows: readonly { readonly fromMs: number; readonly toMs: number }[],
  rateRps: number,
): SwitchFigures {
  // A request that was due shortly before a Switch may still have been under way when it began.
  const within = ({ dueMs, latencyMs }: Sample): boolean =>
    windows.some(({ fromMs, toMs }) => dueMs + latencyMs >= fromMs && dueMs <= toMs + WINDOW_AFTER_MS);
  const during = sorted(all.filter(within).map(({ latencyMs }) => latencyMs));
  const atRest = sorted(rest.map(({ latencyMs }) => latencyMs));
  const failures = [...rest, ...all].flatMap(({ failure }) => failure ?? []);
  return {
    switches: windows.length,
    requests: rest.length + all.length,
    failed: failures.length,
    firstFailure: failures[0] ?? null,
    samples: during.length,
    restSamples: atRest.length,
    p50Ms: quantile(during, 0.5),
    p99Ms: quantile(during, 0.99),
    restP50Ms: quantile(atRest, 0.5),
    restP99Ms: quantile(atRest, 0.99),
    switchMs: quantile(sorted(windows.map(({ fromMs, toMs }) => toMs - fromMs)), 0.5),
    rateRps,
  };
}

function sorted(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}

function quantile(values: readonly number[], q: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;
}
