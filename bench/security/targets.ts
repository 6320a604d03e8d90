/** The processes that are attacked: started by the command line, as users do, with the heap that a container of 1 GiB gives them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { switcherEnvironment } from "../../runtime/switcher-environment.ts";
import { packageFolder } from "../../runtime/version.ts";
import { INFER, inferBody, PIPELINE_PATH, type Ports, STAGE, type TargetName } from "./attacks.ts";

const HEAP_MIB = 512;
const MEMORY_MIB = 1024;
const START_MS = 60_000;
const MIB = 1024 * 1024;

/** Bytes of messages that a process may hold, of all its ports together (docs/security.md). */
export const BUDGET_MIB: Readonly<Record<TargetName, number>> = {
  switcher: 2 * (MEMORY_MIB / 8),
  gateway: 256,
  scaler: 152,
};
const HEALTH: Readonly<Record<TargetName, string>> = {
  switcher: "/v2/health/live",
  gateway: "/healthz",
  scaler: "/healthz",
};
/** A small request of an ordinary client, and the status of its answer where nothing is wrong. Null: the target takes none from everybody. */
const REQUEST: Readonly<Record<TargetName, Readonly<Record<"path" | "body", string> & { status: number }> | null>> = {
  switcher: { path: INFER, body: inferBody(1), status: 200 },
  // It has no replicas that could serve, so it is sent a request that it reads and calls wrong.
  gateway: { path: PIPELINE_PATH, body: "{}", status: 400 },
  scaler: null,
};

export class Target {
  readonly name: TargetName;
  readonly ports: Ports;
  readonly #process: ChildProcess;
  readonly #folder: string;
  #ended: string | null = null;

  private constructor(name: TargetName, ports: Ports, child: ChildProcess, folder: string) {
    this.name = name;
    this.ports = ports;
    this.#process = child;
    this.#folder = folder;
    child.once("exit", (code, signal) => {
      this.#ended = signal ?? `exit code ${code}`;
    });
  }

  static async start(name: TargetName): Promise<Target> {
    const folder = mkdtempSync(join(tmpdir(), "variscale-security-"));
    const [http, grpc, keda, admin, metrics] = await findPorts(5);
    const ports = { http, grpc, keda };
    const args = { switcher: switcherArgs, gateway: gatewayArgs, scaler: scalerArgs }[name](folder, ports, [
      admin,
      metrics,
    ]);
    const command = [`--max-old-space-size=${HEAP_MIB}`, join(packageFolder, "dist/cli/main.js"), ...args];
    const env = { ...process.env, ...switcherEnvironment(process.env) };
    const child = spawn(process.execPath, command, { stdio: ["ignore", "ignore", "ignore"], env });
    const target = new Target(name, ports, child, folder);
    const untilMs = performance.now() + START_MS;
    while ((await target.answer()) === null) {
      if (target.ended !== null || performance.now() > untilMs)
        throw new Error(`the ${name} did not start: ${target.ended}`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    // Its first requests load and compile what all later ones use.
    for (let i = 0; i < 50; i += 1) await target.answer(i % 2 === 0);
    await new Promise(resolve => setTimeout(resolve, 2000));
    return target;
  }

  /** Why the process has ended; null while it runs. */
  get ended(): string | null {
    return this.#ended;
  }

  /** Resident memory; null where the process has ended. */
  get rssMiB(): number | null {
    const file = `/proc/${this.#process.pid}/statm`;
    if (this.#ended !== null || !existsSync(file)) return null;
    const [, pages] = readFileSync(file, "utf8").split(" ");
    return (Number(pages) * 4096) / MIB;
  }

  /** How long a look at its health takes, or a request with a body where it takes such. Null: it was refused, or has no answer within `limitMs`. */
  async answer(hasBody = false, limitMs = 10_000): Promise<number | null> {
    const beganMs = performance.now();
    const request = hasBody ? REQUEST[this.name] : null;
    const url = `http://127.0.0.1:${this.ports.http}${request?.path ?? HEALTH[this.name]}`;
    try {
      const signal = AbortSignal.timeout(limitMs);
      const response = await fetch(url, request ? { method: "POST", body: request.body, signal } : { signal });
      await response.arrayBuffer();
      return response.status === (request?.status ?? 200) ? performance.now() - beganMs : null;
    } catch {
      return null;
    }
  }

  async stop(): Promise<void> {
    if (this.#ended === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function switcherArgs(folder: string, { http, grpc }: Ports, [admin, metrics]: readonly number[]): readonly string[] {
  const config = join(folder, "switcher.json");
  const tensor = (name: string, elements: number) => ({ name, datatype: "FP32", shape: [-1, elements] });
  const points = [
    { batch: 1, latencyMs: 1 },
    { batch: 8, latencyMs: 2 },
  ];
  const value = {
    pipeline: { namespace: "bench", name: "bench" },
    stage: STAGE,
    pod: "image-0",
    // An answer of 256 KiB a row.
    contract: { inputs: [tensor("x", 4)], outputs: [tensor("y", 65_536)] },
    variants: [{ name: "only", driver: "emulated", points }],
    defaultVariant: "only",
    modelFolder: folder,
    cores: 1,
    memoryMiB: MEMORY_MIB,
    ports: { http, grpc, admin, metrics },
    logLevel: "silent",
  };
  writeFileSync(config, JSON.stringify(value));
  return ["switcher", "--config", config];
}

function gatewayArgs(_folder: string, { http, grpc }: Ports): readonly string[] {
  const pipeline = join(packageFolder, "pipelines/id-card/pipeline.yaml");
  // Nothing listens there: bodies are what is attacked with.
  const endpoints = ["detection", "recognition"].flatMap(stage => ["--endpoint", `${stage}=127.0.0.1:${grpc}`]);
  return ["gateway", pipeline, "--host", "127.0.0.1", "--port", String(http), "--log-level", "silent", ...endpoints];
}

function scalerArgs(folder: string, { http, grpc, keda }: Ports): readonly string[] {
  const pipeline = join(packageFolder, "pipelines/id-card/pipeline.yaml");
  const listen = [
    "--host",
    "127.0.0.1",
    "--http-port",
    `${http}`,
    "--switcher-port",
    `${grpc}`,
    "--keda-port",
    `${keda}`,
  ];
  return ["scaler", pipeline, ...listen, "--state-dir", folder, "--kubernetes", "off", "--log-level", "silent"];
}

/** Ports below 32768: those above are given to attackers' connections, also between the look here and the target's start. */
let nextPort = 15_000 + (process.pid % 100) * 100;

async function findPorts(count: number): Promise<readonly [number, number, number, number, number]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = nextPort;
    nextPort += 1;
    if (await isFree(port)) ports.push(port);
  }
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = ports;
  return [a, b, c, d, e];
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
