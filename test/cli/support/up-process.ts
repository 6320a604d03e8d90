import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { packageFolder } from "../../../runtime/version.ts";
import { descendants, isAlive } from "./processes.ts";

const MAIN = join(packageFolder, "dist/cli/main.js");

/** All that were started, for the case that a test ends without having ended its own. */
const running = new Set<UpProcess>();
process.on("exit", () => {
  for (const up of running) up.killAll();
});

/** `variscale up` as a process of its own, on free ports. */
export class UpProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string>;
  url = "";
  api = "";
  stderr = "";
  readonly #seen = new Set<number>();

  /** Its models are in `folder`, beside the pipeline file; its temporary files go to `folder/tmp`. */
  constructor(folder: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const temporary = join(folder, "tmp");
    mkdirSync(temporary, { recursive: true });
    const ports = ["--port", "0", "--http-port", "0", "--keda-port", "0", "--switcher-port", "0"];
    const state = ["--state-dir", join(folder, "state")];
    this.child = spawn(
      process.execPath,
      [MAIN, "up", folder, "--model-folder", folder, "--cores", "64", ...ports, ...state, ...args],
      // A process group of its own, as a shell gives it.
      { detached: true, stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, TMPDIR: temporary, ...env } },
    );
    running.add(this);
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk;
    });
    this.exited = new Promise(resolve => this.child.once("exit", (code, signal) => resolve(code ?? signal ?? "?")));
  }

  static async startReady(
    folder: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<UpProcess> {
    const up = new UpProcess(folder, args, env);
    await up.until(() => {
      const ready = up.logs().find(line => line["msg"] === "ready" && line["process"] === "up");
      if (!ready) return false;
      up.url = String(ready["url"]);
      up.api = `${ready["api"]}/${up.url.split("/").slice(-2).join("/")}`;
      return true;
    }, "ready");
    return up;
  }

  /** Lines of its log so far, its children's among them. */
  logs(): Record<string, unknown>[] {
    return this.stderr.split("\n").flatMap(line => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
  }

  /** Gateway and replicas that run now. */
  children(): number[] {
    const found = descendants(this.child.pid!);
    for (const pid of found) this.#seen.add(pid);
    return found;
  }

  /** Waits until the condition holds; fails with the log when `up` ends before, or after a minute. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!(await condition())) {
      const ended = this.child.exitCode !== null || this.child.signalCode !== null;
      assert.ok(!ended && performance.now() < endMs, `not ${what}\n${this.stderr.slice(-4000)}`);
      await sleep(20);
    }
  }

  /** Waits until none of the processes that were seen runs. */
  async untilAllGone(): Promise<void> {
    const endMs = performance.now() + 60_000;
    for (;;) {
      const left = [...this.#seen, this.child.pid!].filter(isAlive);
      if (left.length === 0) break;
      assert.ok(performance.now() < endMs, `still running: ${left.join(", ")}\n${this.stderr.slice(-4000)}`);
      await sleep(20);
    }
    running.delete(this);
  }

  /**
   * Sends a signal to `up`, or to its whole process group as Ctrl-C in a terminal does, and waits for the end of it and of all that
   * it started; gives the exit code, or the signal's name.
   */
  async end(signal: NodeJS.Signals, target: "process" | "group" = "process"): Promise<number | string> {
    this.children();
    process.kill(target === "group" ? -this.child.pid! : this.child.pid!, signal);
    const status = await this.exited;
    await this.untilAllGone();
    return status;
  }

  /** For `afterEach`: nothing is left, whatever the test did. */
  killAll(): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.children();
    for (const pid of [this.child.pid, ...this.#seen]) {
      if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL");
    }
    running.delete(this);
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  async page(): Promise<any> {
    return await (await fetch(this.api)).json();
  }

  async pin(pin: Readonly<Record<string, unknown>>): Promise<void> {
    const body = JSON.stringify({ ttlMs: 600_000, ...pin });
    const response = await fetch(`${this.api}/pin`, { method: "PUT", body });
    assert.equal(response.status, 200, await response.text());
  }

  async unpin(): Promise<void> {
    assert.equal((await fetch(`${this.api}/pin`, { method: "DELETE" })).status, 200);
  }

  /** A gauge of the gateway, by its labels as they are printed. */
  async endpoints(stage: string): Promise<number> {
    const text = await (await fetch(new URL("/metrics", this.url))).text();
    return Number(
      new RegExp(`^variscale_gateway_endpoints\\{[^}]*stage="${stage}"[^}]*\\} (\\d+)$`, "m").exec(text)?.[1],
    );
  }
}
