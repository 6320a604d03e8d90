import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
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

/**
 * Starts one of our own processes with an IPC channel. It ends itself when the channel closes, so that nothing is left behind
 * even where this process is killed. It has a process group of its own: a terminal's Ctrl-C reaches this process alone, which then
 * ends the others in order.
 */
export function startChild(args: readonly string[], onMessage: (message: unknown) => void, logger: Logger): Child {
  const child: ChildProcess = fork(join(packageFolder, "dist/cli/main.js"), [...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, ...(args[0] === "switcher" ? switcherEnvironment(process.env) : FEW_ARENAS) },
    detached: true,
  });
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
