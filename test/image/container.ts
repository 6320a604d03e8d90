import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** The engine's command, which scripts/test-image.mjs found, and the image that it built; those of targets have their name behind it. */
const engine = process.env["VARISCALE_ENGINE"] ?? "docker";
const image = process.env["VARISCALE_IMAGE"] ?? "variscale:local";

/** What is built: all of it, a target of the Dockerfile, or all of it once more and from nothing. */
export type Target = "all" | "scaler" | "variant-switcher" | "gateway" | "demo" | "again";

/** A list of all files of an image has some mebibytes. */
const MOST_BYTES = 64 * 1024 * 1024;

let count = 0;

interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the engine's command; the result tells how it ended. */
function runEngine(...args: readonly string[]): Finished {
  const { status, stdout, stderr, error } = spawnSync(engine, args, { encoding: "utf8", maxBuffer: MOST_BYTES });
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

export interface RunOptions {
  /** All of it where nothing is said. */
  readonly target?: Target;
  /** Of the engine's `run`. */
  readonly engine?: readonly string[];
  /** As `docker run` does by itself: the root file system can be written. */
  readonly asIs?: boolean;
}

/** Runs a command of the image to its end. */
export function runToEnd(command: readonly string[], options: RunOptions = {}): Finished {
  const container = new Container(command, options);
  try {
    return container.finish();
  } finally {
    container.remove();
  }
}

/** What the engine knows of the image, in its template language. */
export function inspectImage(format: string, target: Target = "all"): string {
  return askEngine("image", "inspect", "--format", format, imageOf(target));
}

function imageOf(target: Target): string {
  return target === "all" ? image : `${image}-${target}`;
}

/** A container of the image in the background, on the network of this machine. */
export class Container {
  readonly #name: string;
  readonly #target: Target;

  constructor(command: readonly string[], { target = "all", engine: more = [], asIs = false }: RunOptions = {}) {
    count += 1;
    this.#name = `variscale-test-${process.pid}-${count}`;
    this.#target = target;
    const how = asIs ? ["--network=host"] : HARDENED;
    askEngine("run", "--detach", "--name", this.#name, ...how, ...more, imageOf(target), ...command);
  }

  /** The ports that its process logs when it listens. */
  async ports(message: string): Promise<Readonly<Record<string, number>>> {
    for (;;) {
      const line = this.logs()
        .split("\n")
        .find(text => text.includes(`"msg":"${message}"`));
      if (line !== undefined) {
        const { ports, port } = JSON.parse(line) as { ports?: Record<string, number>; port?: number };
        return ports ?? { http: port ?? 0 };
      }
      assert.ok(this.isRunning(), `the container has ended:\n${this.logs()}`);
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }

  /** How the image's own HEALTHCHECK ends, asked at this address: its ports may be others than the image's. */
  checkHealth(url: string): Finished {
    const [kind, ...command] = JSON.parse(inspectImage("{{json .Config.Healthcheck.Test}}", this.#target)) as string[];
    assert.equal(kind, "CMD");
    return runEngine("exec", "--env", `VARISCALE_HEALTH_URL=${url}`, this.#name, ...command);
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
