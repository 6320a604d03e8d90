/** Things that happen on the machine during a run. All of them end with this process, however that ends. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { DisturbanceKind } from "./conditions.ts";
import type { ReplicaTimes } from "./replica-times.ts";

const NEIGHBOURS = 2;
const STALLED_SHARE = 0.01;
export const STALL_MS = 30;
const SCRIPT = fileURLToPath(new URL("./disturbing-process.js", import.meta.url));

/** The process of this number is to stand still so many times within the next second. */
export interface StallRequest {
  readonly pid: number;
  readonly stalls: number;
}

export interface Disturbance {
  readonly pids: readonly number[];
  /** Is told of the replicas once a second. */
  see(replicas: readonly Pick<ReplicaTimes, "pod" | "serviceTimes">[]): void;
  /** Resolves when its processes have ended. */
  stop(): Promise<void>;
}

/** Two processes that keep a core busy each, or one that stops replicas for 30 ms, as often as one in a hundred of their batches. */
export function startDisturbance(kind: DisturbanceKind): Disturbance {
  const count = kind === "neighbours" ? NEIGHBOURS : 1;
  const children = Array.from({ length: count }, () => fork(SCRIPT, [kind], { stdio: "ignore" }));
  const plan = new StallPlan();
  return {
    pids: children.flatMap(({ pid }) => pid ?? []),
    see: replicas => {
      if (kind !== "stalls") return;
      const pids = findReplicaPids();
      for (const { pod, serviceTimes } of replicas) {
        const stalls = plan.countStalls(
          pod,
          serviceTimes.reduce((sum, { batches }) => sum + batches, 0),
        );
        const pid = pids.get(pod);
        if (pid !== undefined && stalls > 0) children[0]?.send({ pid, stalls } satisfies StallRequest, () => undefined);
      }
    },
    stop: async () => {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, "exit");
        child.disconnect();
        await ended;
      }
    },
  };
}

/** Counts one stall for each hundred batches of a replica. */
export class StallPlan {
  readonly #stalled = new Map<string, number>();

  /** @param batches that the replica has run since it started. */
  countStalls(pod: string, batches: number): number {
    const due = Math.floor(STALLED_SHARE * batches);
    const stalls = Math.max(0, due - (this.#stalled.get(pod) ?? due));
    this.#stalled.set(pod, due);
    return stalls;
  }
}

/** The processes of replicas that this process has started, by pod. A pod's configuration file has its name. */
function findReplicaPids(): ReadonlyMap<string, number> {
  const pids = new Map<string, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [, parent] = readFileSync(`/proc/${entry}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      if (Number(parent) !== process.pid) continue;
      const args = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      const config = args[args.indexOf("--config") + 1] ?? "";
      if (args.includes("switcher")) pids.set(basename(config, ".json"), Number(entry));
    } catch {
      // A process may end while it is looked at.
    }
  }
  return pids;
}
