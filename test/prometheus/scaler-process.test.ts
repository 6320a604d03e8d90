import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { writeTinyPipeline } from "../cli/support/tiny-pipeline.ts";
import { startNumberGateway, type TestGateway } from "../gateway/number-pipeline.ts";
import { eventually } from "./support/eventually.ts";
import { RealPrometheus } from "./support/real-prometheus.ts";

/** What the HTTP API says of a pipeline, of which only this is read. */
interface Page {
  readonly board: { readonly plan: { readonly rateRps: number } | null } | null;
  readonly processConditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[];
}

describe("variscale scaler, over a real Prometheus and the gateway's own metrics", () => {
  let folder: string;
  let gateway: TestGateway;
  let prometheus: RealPrometheus;
  let scaler: ChildProcess;
  let log: string;
  let perTenth: number;
  let timer: NodeJS.Timeout;

  const httpPort = () => Number(/"http":(\d+)/.exec(log)?.[1] ?? 0);
  const get = async (path: string) => await fetch(`http://127.0.0.1:${httpPort()}${path}`);
  const page = async (): Promise<Page> => (await (await get("/api/v1/pipelines/test/numbers")).json()) as Page;
  const plannedRps = async (): Promise<number> => (await page()).board?.plan?.rateRps ?? 0;
  const answering = async () => (await page()).processConditions.find(one => one.type === "LoadSourceAnswering");
  const scrapes = async (): Promise<number> => {
    const text = await (await fetch(`${prometheus.url}/api/v1/query?query=count_over_time(up[10m])`)).json();
    return Number((text as { data: { result: { value: [number, string] }[] } }).data.result[0]?.value[1] ?? 0);
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-test-"));
    writeTinyPipeline(folder);
    // Without replicas it refuses all requests: they are offered all the same.
    gateway = await startNumberGateway({ count: [], read: [] });
    perTenth = 1;
    timer = setInterval(() => {
      for (let i = 0; i < perTenth; i++) void gateway.post({ numbers: [1] }).then(response => response.text());
    }, 100);
    prometheus = await RealPrometheus.start({ targets: [gateway.gateway], scrapeInterval: "3s" });
    const sets = ["spec.load.source=prometheus", "metadata.namespace=test", "metadata.name=numbers"];
    const ports = ["--http-port", "0", "--keda-port", "0", "--switcher-port", "0", "--host", "127.0.0.1"];
    scaler = spawn(
      process.execPath,
      [
        join(packageFolder, "dist/cli/main.js"),
        ...["scaler", folder, "--load-source", `prometheus=${prometheus.source}`],
        ...["--state-dir", join(folder, "state"), ...ports, ...sets.flatMap(set => ["--set", set])],
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    log = "";
    scaler.stderr?.on("data", (chunk: Buffer) => {
      log += chunk;
    });
    await eventually(() => httpPort() > 0, "a scaler that runs");
  });
  afterEach(async () => {
    clearInterval(timer);
    const exited = new Promise(resolve => scaler.once("exit", resolve));
    scaler.kill("SIGTERM");
    await exited;
    await prometheus.close();
    await gateway.gateway.close(0);
    rmSync(folder, { recursive: true });
  });

  it("plans from it, sees a rise within two scrapes, and keeps its plan while the Prometheus is away", async () => {
    await eventually(async () => (await plannedRps()) > 3, `a plan; log: ${log}`);
    const before = await plannedRps();
    const scrapesBefore = await scrapes();
    perTenth = 10;
    let scrapesAfter = Number.NaN;
    await eventually(async () => {
      if ((await plannedRps()) < 3 * Math.min(before, 10)) return false;
      scrapesAfter = await scrapes();
      return true;
    }, "a plan for several times the load");
    // Whole scrapes since then: the one that was under way, and the one that came while this was asked, are not among them.
    assert.ok(scrapesAfter - scrapesBefore <= 4, `seen after ${scrapesAfter - scrapesBefore} scrapes`);
    const metrics = await (await get("/metrics")).text();
    assert.match(metrics, /variscale_load_age_seconds\{namespace="test",pipeline="numbers"\} \d/);
    assert.match(metrics, /variscale_condition\{.*type="LoadSourceAnswering"\} 1/);
    assert.match(metrics, /variscale_load_polls_total\{.*outcome="ok"\} \d/);

    await prometheus.stop();
    await eventually(async () => (await answering())?.status === false, "the condition");
    assert.match((await answering())?.message ?? "", /ECONNREFUSED/);
    assert.ok((await plannedRps()) > 0);
    await prometheus.run();
    await eventually(async () => (await answering())?.status === true, "the condition to hold again");
  });
});
