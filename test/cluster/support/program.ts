import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { until } from "./until.ts";

export interface ProgramOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** One process of the cluster; it can be ended and started again. Its log holds what all its lives wrote. */
export class Program {
  readonly name: string;
  readonly #options: ProgramOptions;
  #child: ChildProcess | null = null;
  #exited: Promise<number | string> = Promise.resolve(0);

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  start(): void {
    assert.ok(!this.isRunning, `${this.name} runs already`);
    const { command, args, logFile, env } = this.#options;
    const log = openSync(logFile, "a");
    const child = spawn(command, args, { stdio: ["ignore", log, log], env: { ...process.env, ...env } });
    closeSync(log);
    this.#exited = new Promise(resolve => {
      child.once("exit", (code, signal) => resolve(code ?? signal ?? "?"));
      child.once("error", error => resolve(error.message));
    });
    this.#child = child;
  }

  /** Ends it and gives its exit code, or the signal that ended it; one that doesn't end within 20 s is killed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    if (!this.isRunning) return this.#exited;
    this.#child?.kill(signal);
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), 20_000);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }

  /** What it wrote so far. */
  readonly log = (): string => readFileSync(this.#options.logFile, "utf8");

  /** Waits for a condition; fails with the end of the log when the process ends before. */
  async until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 180_000): Promise<void> {
    const orEnded = async () => !this.isRunning || (await condition());
    try {
      await until(orEnded, `${this.name}: ${what}`, timeoutMs);
      if (!this.isRunning) throw new Error(`${this.name} ended with ${await this.#exited} before: ${what}`);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.log().slice(-3000)}`);
    }
  }
}
