import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** The engine's command, which scripts/test-image.mjs found, and the image that it built. */
const engine = process.env["VARISCALE_ENGINE"] ?? "docker";
const image = process.env["VARISCALE_IMAGE"] ?? "variscale";

let count = 0;

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the engine's command; the result tells how it ended. */
function runEngine(...args: readonly string[]): Finished {
  const { status, stdout, stderr, error } = spawnSync(engine, args, { encoding: "utf8" });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** What the engine's command printed; fails with what it said where it failed. */
function askEngine(...args: readonly string[]): string {
  const { status, stdout, stderr } = runEngine(...args);
  assert.equal(status, 0, `${engine} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** How a pod of the `restricted` standard runs: read-only, without any capability or new privilege. */
const HARDENED = ["--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"] as const;

/** Runs a command of the image to its end. */
export function runToEnd(command: readonly string[], options: readonly string[] = []): Finished {
  const container = new Container(command, options);
  try {
    return container.finish();
  } finally {
    container.remove();
  }
}

/** What the engine knows of the image, in its template language. */
export function inspectImage(format: string): string {
  return askEngine("image", "inspect", "--format", format, image);
}

/** A container of the image in the background, on the network of this machine. */
export class Container {
  readonly #name: string;

  /** `options` are those of the engine's `run`. */
  constructor(command: readonly string[], options: readonly string[] = []) {
    count += 1;
    this.#name = `variscale-test-${process.pid}-${count}`;
    askEngine("run", "--detach", "--name", this.#name, ...HARDENED, ...options, image, ...command);
  }

  exec(...command: readonly string[]): string {
    return askEngine("exec", this.#name, ...command);
  }

  /** How a command in it ended, whether it failed or not. */
  tryExec(...command: readonly string[]): Finished {
    return runEngine("exec", this.#name, ...command);
  }

  logs(): string {
    const { stdout, stderr } = runEngine("logs", this.#name);
    return stdout + stderr;
  }

  /** Waits for its end. */
  finish(): Finished {
    const status = Number(askEngine("wait", this.#name));
    const { stdout, stderr } = runEngine("logs", this.#name);
    return { status, stdout, stderr };
  }

  isRunning(): boolean {
    return askEngine("inspect", "--format", "{{.State.Running}}", this.#name) === "true";
  }

  /** Sends SIGTERM and gives the exit code; SIGKILL after 30 s, which is code 137. */
  stop(): number {
    askEngine("stop", "--time", "30", this.#name);
    return Number(askEngine("inspect", "--format", "{{.State.ExitCode}}", this.#name));
  }

  remove(): void {
    runEngine("rm", "--force", this.#name);
  }

  /** Asks until the answer has this status; fails with the container's log when the container has ended. */
  async waitFor(url: string, status = 200): Promise<Response> {
    for (;;) {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5000) }).catch(() => null);
      if (answer?.status === status) return answer;
      assert.ok(this.isRunning(), `the container has ended:\n${this.logs()}`);
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }
}
