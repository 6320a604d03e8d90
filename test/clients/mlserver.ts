import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { until } from "../support/switcher-harness.ts";

export interface MlServerOptions {
  /** Has a folder for each model, with its settings. */
  readonly folder: string;
  /** Of the Python environment. */
  readonly python: string;
  /** The Python file of the models. */
  readonly code: string;
  readonly models: readonly string[];
  /** Whether it loads all models by itself. */
  readonly atStart: boolean;
  /** Null: the operating system chooses. */
  readonly core: number | null;
}

/** A real MLServer. */
export class MlServer {
  readonly url: string;
  readonly grpcPort: number;
  readonly #process: ChildProcess;
  #said = "";

  private constructor(process: ChildProcess, httpPort: number, grpcPort: number) {
    this.#process = process;
    this.url = `http://127.0.0.1:${httpPort}`;
    this.grpcPort = grpcPort;
    for (const stream of [process.stdout, process.stderr])
      stream?.on("data", data => {
        this.#said += data;
      });
  }

  static async start(options: MlServerOptions): Promise<MlServer> {
    const { folder, python, code, models, atStart, core } = options;
    const [http = 0, grpc = 0, metrics = 0] = await Promise.all([freePort(), freePort(), freePort()]);
    const settings = {
      host: "127.0.0.1",
      http_port: http,
      grpc_port: grpc,
      metrics_port: metrics,
      parallel_workers: 0,
      load_models_at_startup: atStart,
    };
    writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
    for (const model of models) cpSync(code, join(folder, model, basename(code)));
    const bin = join(python, "bin");
    const command = [...(core === null ? [] : ["taskset", "-c", String(core)]), join(bin, "mlserver"), "start", folder];
    const [file = "", ...args] = command;
    const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, TMPDIR: folder };
    const child = spawn(file, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    const server = new MlServer(child, http, grpc);
    const isReady = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`MLServer ended: ${server.#said}`);
      return await fetch(`${server.url}/v2/health/ready`).then(
        response => response.ok,
        () => false,
      );
    };
    await until(isReady, `ready: ${server.#said}`);
    return server;
  }

  /** The models that are loaded. */
  async loaded(): Promise<readonly string[]> {
    const response = await fetch(`${this.url}/v2/repository/index`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ready: true }),
    });
    return ((await response.json()) as { name: string }[]).map(({ name }) => name).toSorted();
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
