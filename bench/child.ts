import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

/** Two cores and a way to keep processes on one of them: the server gets the first, its client the second. */
export const canPin = cpus().length >= 2 && spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;

/** A script of this folder's as a process of its own that answers questions, one at a time. */
export class Child {
  readonly #process: ChildProcess;

  /** `core`: null leaves the choice to the operating system. */
  constructor(
    script: string,
    args: readonly string[],
    core: number | null,
    nodeFlags: readonly string[] = [],
    env = process.env,
  ) {
    const command = [process.execPath, ...nodeFlags, fileURLToPath(new URL(script, import.meta.url)), ...args];
    const pinned = core === null || !canPin ? command : ["taskset", "-c", String(core), ...command];
    const [file = "", ...rest] = pinned;
    this.#process = spawn(file, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], env });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The next message of the child. */
  receive<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`the process ended with ${code}`));
      this.#process.once("exit", onExit);
      this.#process.once("message", message => {
        this.#process.off("exit", onExit);
        resolve(message as T);
      });
    });
  }

  ask<T>(question: object): Promise<T> {
    const answer = this.receive<T>();
    this.#process.send(question);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise(resolve => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  }
}
