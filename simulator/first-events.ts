import { EVENT, type EventQueue } from "./event-queue.ts";
import type { SimulationOptions } from "./simulation-run.ts";

/** The gateway looks so often for requests that have waited for a replica until their deadline. */
export const CHECK_MS = 100;

/** What happens without anything before it: the rest follows from that. */
export function addFirstEvents(
  events: EventQueue,
  { pipeline, cluster, killEveryMs }: SimulationOptions,
  firstArrivalMs: number,
  nodeLosses: readonly { readonly fromMs: number; readonly toMs: number }[],
): void {
  // Syncs of HPAs are spread over their period.
  for (const s of pipeline.stages.keys())
    events.add((cluster.syncMs * (s + 1)) / pipeline.stages.length, EVENT.autoscale, s);
  events.add(0, EVENT.tick, 0);
  events.add(CHECK_MS, EVENT.selfCheck, 0);
  if (Number.isFinite(firstArrivalMs)) events.add(firstArrivalMs, EVENT.arrival, 0);
  if (killEveryMs !== null) events.add(killEveryMs, EVENT.podKilled, 0);
  for (const { fromMs, toMs } of nodeLosses) {
    events.add(fromMs, EVENT.nodeLost, 0);
    events.add(toMs, EVENT.nodeBack, 0);
  }
}
