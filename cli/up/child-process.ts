import { type ChildProcess, fork } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { constants, getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { FEW_ARENAS } from "../../runtime/few-arenas.ts";
import { switcherEnvironment } from "../../runtime/switcher-environment.ts";
import { packageFolder } from "../../runtime/version.ts";

export interface Child {
  readonly pid: number | undefined;
  send(message: object): void;
  /** SIGKILL. */
  kill(): void;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  /** Resolves with the exit code, or the signal's name. */
  readonly gone: Promise<number | string>;
}

/** With this a replica gets two thirds of the time of a gateway that wants the same core: with more it starves beside busy processes of others. */
const REPLICA_NICE = 2;
const NICE_TRIES = 20;
const NICE_RETRY_MS = 150;

/**
 * Starts one of our own processes with an IPC channel. It ends itself when the channel closes, so that nothing is left behind
 * even where this process is killed. It has a process group of its own: a terminal's Ctrl-C reaches this process alone, which then
 * ends the others in order.
 */
export function startChild(args: readonly string[], onMessage: (message: unknown) => void, logger: Logger): Child {
  const isReplica = args[0] === "switcher";
  const child: ChildProcess = fork(join(packageFolder, "dist/cli/main.js"), [...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, ...(isReplica ? switcherEnvironment(process.env) : FEW_ARENAS) },
    detached: true,
  });
  if (isReplica && child.pid !== undefined) giveWay(child.pid);
  child.on("message", onMessage);
  child.on("error", error => logger.warn({ err: error, args }, "child process error"));
  const gone = new Promise<number | string>(resolve => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
    // A process that never started has no exit.
    child.once("error", () => child.pid === undefined && resolve("not started"));
  });
  return {
    pid: child.pid,
    gone,
    send: message => {
      if (child.connected) child.send(message, () => undefined);
    },
    kill: () => void child.kill("SIGKILL"),
    stop: async graceMs => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** Changes of priorities follow one another, as the system takes few of them a second. */
let lastChange = Promise.resolve();

/**
 * Lets a replica give way to the gateway and the scaler, which share its machine. Models take all the time that they get, and a gateway that waits
 * for a core makes every request late, whatever variant answers it. A system that has no such priority goes without.
 */
function giveWay(pid: number): void {
  try {
    setPriority(pid, Math.min(constants.priority.PRIORITY_LOW, getPriority() + REPLICA_NICE));
  } catch {
    // It has ended already.
  }
  lastChange = lastChange.then(() => giveWayAsGroup(pid));
}

/** Linux shares cores between sessions first, where it groups processes by them: sched(7), "The autogroup feature". */
async function giveWayAsGroup(pid: number): Promise<void> {
  for (let left = NICE_TRIES; left > 0; left--) {
    try {
      await writeFile(`/proc/${pid}/autogroup`, String(REPLICA_NICE));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      await sleep(NICE_RETRY_MS, undefined, { ref: false });
    }
  }
}
