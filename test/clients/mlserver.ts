import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { packageFolder } from "../../runtime/version.ts";
import { until } from "../support/switcher-harness.ts";
import { pythonFolder } from "./python.ts";

/** A real MLServer with affine models, which it loads when it is told to. */
export class MlServer {
  readonly url: string;
  readonly #process: ChildProcess;
  #said = "";

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.url = `http://127.0.0.1:${port}`;
    for (const stream of [process.stdout, process.stderr])
      stream?.on("data", data => {
        this.#said += data;
      });
  }

  /** `models`: scale and offset by name. */
  static async start(folder: string, models: Readonly<Record<string, readonly [number, number]>>): Promise<MlServer> {
    const [http = 0, grpc = 0, metrics = 0] = await Promise.all([freePort(), freePort(), freePort()]);
    const settings = {
      host: "127.0.0.1",
      http_port: http,
      grpc_port: grpc,
      metrics_port: metrics,
      parallel_workers: 0,
      load_models_at_startup: false,
    };
    writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
    for (const [name, [scale, offset]] of Object.entries(models)) {
      mkdirSync(join(folder, name));
      cpSync(join(packageFolder, "test/clients/mlserver/affine_model.py"), join(folder, name, "affine_model.py"));
      const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 2] }];
      const outputs = [{ name: "y", datatype: "FP32", shape: [-1, 2] }];
      const model = { name, implementation: "affine_model.AffineModel", inputs, outputs };
      writeFileSync(
        join(folder, name, "model-settings.json"),
        JSON.stringify({ ...model, parameters: { extra: { scale, offset } } }),
      );
    }
    const env = { ...process.env, PATH: `${pythonFolder()}:${process.env["PATH"] ?? ""}`, TMPDIR: folder };
    const child = spawn(join(pythonFolder(), "mlserver"), ["start", folder], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new MlServer(child, http);
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
