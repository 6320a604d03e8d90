import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

const packageFolder = process.env["VARISCALE_TEST_PROMETHEUS"];

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface RealPrometheusOptions {
  readonly targets: readonly { readonly port: number }[];
  /** Default 1s. */
  readonly scrapeInterval?: string;
  /** Samples of the past, in the OpenMetrics text format. */
  readonly history?: string;
  /** Its web configuration (TLS, users), where it has one; the files that it names lie beside it. */
  readonly web?: { readonly config: string; readonly files: Readonly<Record<string, string>> };
}

/** A Prometheus as a process of its own, with data in a folder for temporary files. */
export class RealPrometheus {
  readonly port: number;
  readonly #folder: string;
  readonly #isSecured: boolean;
  #child: ChildProcess | null = null;
  #log = "";

  private constructor(port: number, folder: string, isSecured: boolean) {
    this.port = port;
    this.#folder = folder;
    this.#isSecured = isSecured;
  }

  static async start(options: RealPrometheusOptions): Promise<RealPrometheus> {
    const folder = mkdtempSync(join(tmpdir(), "variscale-prometheus-"));
    const targets = options.targets.map(target => `"127.0.0.1:${target.port}"`).join(", ");
    const interval = options.scrapeInterval ?? "1s";
    writeFileSync(
      join(folder, "prometheus.yml"),
      `global: {scrape_interval: ${interval}, scrape_timeout: ${interval}}
scrape_configs: [{job_name: test, static_configs: [{targets: [${targets}]}]}]
`,
    );
    if (options.web) writeFileSync(join(folder, "web.yml"), options.web.config);
    for (const [name, text] of Object.entries(options.web?.files ?? {})) writeFileSync(join(folder, name), text);
    if (options.history !== undefined) fillIn(folder, options.history);
    const prometheus = new RealPrometheus(await freePort(), folder, options.web !== undefined);
    await prometheus.run();
    return prometheus;
  }

  get url(): string {
    return `${this.#isSecured ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  /** As `--load-source` takes it. */
  get source(): string {
    return `prometheus+${this.url}`;
  }

  /** Starts it, again or for the first time, with the data that it has. */
  async run(): Promise<void> {
    const web = this.#isSecured ? [`--web.config.file=${join(this.#folder, "web.yml")}`] : [];
    const args = [
      `--config.file=${join(this.#folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(this.#folder, "data")}`,
      `--web.listen-address=127.0.0.1:${this.port}`,
      ...web,
    ];
    const child = spawn(programOf("prometheus"), args, { stdio: ["ignore", "ignore", "pipe"] });
    running.add(child);
    child.once("exit", () => running.delete(child));
    this.#child = child;
    this.#log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      this.#log += chunk;
    });
    await eventually(
      () => /Server is ready to receive web requests/.test(this.#log),
      `a ready Prometheus:\n${this.#log}`,
    );
  }

  /** Ends it; its data stays. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const exited = new Promise(resolve => child.once("exit", resolve));
    child.kill("SIGTERM");
    await exited;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A program of the unpacked package. */
export function programOf(name: string): string {
  assert.ok(packageFolder, "start these tests by `npm run test:prometheus`");
  return join(packageFolder, "usr/bin", name);
}

function fillIn(folder: string, history: string): void {
  const file = join(folder, "history.txt");
  writeFileSync(file, history);
  const args = ["tsdb", "create-blocks-from", "openmetrics", file, join(folder, "data")];
  const { status, stderr } = spawnSync(programOf("promtool"), args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}
