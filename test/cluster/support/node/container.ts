import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../kubernetes-api.ts";
import { execIn, probeOnce } from "./probe.ts";

export interface ContainerOptions {
  /** As in the pod's spec. */
  readonly spec: Json;
  /** Of the pod. */
  readonly address: string;
  /** The whole command that starts it. */
  readonly command: readonly string[];
  readonly logFile: string;
  /** Whether it is started again when it has ended with this code. */
  readonly isRestarted: (code: number) => boolean;
  readonly onChange: () => void;
}

/** As a kubelet waits before it starts a container once more: at once the first time, then ever longer. */
const FIRST_BACK_OFF_MS = 10_000;
const LAST_BACK_OFF_MS = 300_000;
const PERIOD_SECONDS = 10;
const FAILURES = 3;
/** Share of a probe's time in which this process was at work itself, or waited for a core: above it, an answer that is late says nothing. */
const BUSY = 0.5;

/** One container of a pod over all its lives: its process, its probes, and what the pod's status says of it. */
export class Container {
  readonly #options: ContainerOptions;
  #child: ChildProcess | null = null;
  #state: Json = { waiting: { reason: "ContainerCreating" } };
  #lastState: Json = {};
  #isReady = false;
  #isStarted = false;
  #restarts = 0;
  readonly #ending = new AbortController();

  constructor(options: ContainerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.spec.name;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Null: it runs, or will run again. */
  get exitCode(): number | null {
    return this.#state.terminated?.exitCode ?? null;
  }

  get #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  /** 0: there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** As in `containerStatuses`. */
  get status(): Json {
    return {
      ...{ name: this.name, image: this.#options.spec.image, imageID: "this-package" },
      ...{ containerID: `process://${this.pid}`, ready: this.#isReady, started: this.#isStarted },
      ...{ restartCount: this.#restarts, state: this.#state, lastState: this.#lastState },
    };
  }

  /** Until it has ended and is not started again. */
  async run(): Promise<void> {
    let backOffMs = 0;
    while (!this.#isEnding) {
      const code = await this.#live();
      if (this.#isEnding || !this.#options.isRestarted(code)) return;
      this.#lastState = this.#state;
      this.#change({ waiting: { reason: backOffMs > 0 ? "CrashLoopBackOff" : "ContainerCreating" } });
      await sleep(backOffMs, undefined, { ref: false, signal: this.#ending.signal }).catch(() => undefined);
      backOffMs = Math.min(LAST_BACK_OFF_MS, backOffMs * 2 || FIRST_BACK_OFF_MS);
      this.#restarts += 1;
    }
  }

  /** Its preStop hook, SIGTERM, and SIGKILL when the grace of both is over. */
  async stop(graceMs: number): Promise<void> {
    const endMs = performance.now() + graceMs;
    this.#ending.abort();
    const child = this.#child;
    if (child === null) return;
    const ended = this.#ended(child);
    const preStop = this.#options.spec.lifecycle?.preStop;
    if (preStop) await Promise.race([ended, this.#preStop(preStop, graceMs)]);
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), Math.max(0, endMs - performance.now()));
    await ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#ending.abort();
    this.#child?.kill("SIGKILL");
  }

  async #preStop({ sleep: pause, exec }: Json, graceMs: number): Promise<void> {
    if (pause) await sleep(Math.min(graceMs, pause.seconds * 1000));
    else if (exec) await execIn(this.pid, exec.command, graceMs);
    else throw new Error(`the test's node has no such preStop hook for ${this.name}`);
  }

  /** From its start to its end; gives its exit code. */
  async #live(): Promise<number> {
    const [file = "", ...args] = this.#options.command;
    const log = openSync(this.#options.logFile, "a");
    const child = spawn(file, args, { stdio: ["ignore", log, log], env: {} });
    closeSync(log);
    this.#child = child;
    const startedAt = new Date().toISOString();
    this.#change({ running: { startedAt } });
    const ended = this.#ended(child);
    this.#probe(child).catch((error: unknown) => process.stderr.write(`${this.name}: ${error}\n`));
    const exitCode = await ended;
    this.#child = null;
    this.#isReady = false;
    this.#isStarted = false;
    const reason = exitCode === 0 ? "Completed" : "Error";
    this.#change({ terminated: { exitCode, reason, startedAt, finishedAt: new Date().toISOString() } });
    return exitCode;
  }

  #ended(child: ChildProcess): Promise<number> {
    return new Promise(resolve => {
      if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? 137);
      child.once("exit", code => resolve(code ?? 137));
      child.once("error", () => resolve(127));
    });
  }

  #change(state: Json): void {
    this.#state = state;
    this.#options.onChange();
  }

  /** The startup probe until it succeeds, then the others side by side for as long as the process lives. */
  async #probe(child: ChildProcess): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = this.#options.spec;
    if (startupProbe && !(await this.#follow(child, startupProbe, good => good))) {
      if (this.#child === child && !this.#isEnding) child.kill("SIGTERM");
      return;
    }
    if (this.#child !== child) return;
    this.#isStarted = true;
    if (!readinessProbe) this.#isReady = true;
    this.#options.onChange();
    const setReady = (good: boolean): boolean => {
      if (this.#isReady !== good) {
        this.#isReady = good;
        this.#options.onChange();
      }
      return false;
    };
    const probes = [];
    if (readinessProbe) probes.push(this.#follow(child, readinessProbe, setReady, setReady));
    if (livenessProbe) probes.push(this.#restartWhenDead(child, livenessProbe));
    await Promise.all(probes);
  }

  async #restartWhenDead(child: ChildProcess, probe: Json): Promise<void> {
    await this.#follow(child, probe, () => false);
    // A pod that ends is not asked whether it lives.
    if (this.#child === child && !this.#isEnding) child.kill("SIGTERM");
  }

  /**
   * Asks again and again while the process lives. Each success and, after so many in a row, each failure is told; what returns true ends
   * it with that success. Without `onFailed` it ends when it has failed.
   */
  async #follow(
    child: ChildProcess,
    probe: Json,
    onGood: (good: boolean) => boolean,
    onFailed: ((good: boolean) => boolean) | null = null,
  ): Promise<boolean> {
    const { address, spec } = this.#options;
    let failures = 0;
    await sleep((probe.initialDelaySeconds ?? 0) * 1000);
    while (this.#child === child) {
      const before = performance.eventLoopUtilization();
      const trouble = await probeOnce(probe, { address, ports: spec.ports ?? [], pid: child.pid ?? 0 });
      if (this.#child !== child) return false;
      const isTooBusyToJudge = performance.eventLoopUtilization(before).utilization > BUSY;
      if (trouble === null) failures = 0;
      else if (!isTooBusyToJudge) failures += 1;
      if (trouble === null && onGood(true)) return true;
      if (failures >= (probe.failureThreshold ?? FAILURES)) {
        const verdict = onFailed === null ? "ended" : "not ready";
        process.stderr.write(`${spec.name} at ${address} is ${verdict} after ${failures} failed probes: ${trouble}\n`);
        if (onFailed === null) return false;
        onFailed(false);
      }
      await sleep((probe.periodSeconds ?? PERIOD_SECONDS) * 1000);
    }
    return false;
  }
}
