import assert from "node:assert/strict";
import { join } from "node:path";
import { packageFolder } from "../../../runtime/version.ts";
import { systemClock } from "../../../scaler/clock.ts";
import { FakeGateway } from "../../scaler/support/fake-gateway.ts";
import type { Cluster } from "./cluster.ts";
import type { Json } from "./kubernetes-api.ts";
import { type ClusterPipeline, writePipeline } from "./pipeline-files.ts";
import { Program } from "./program.ts";

const TOKEN = "token-of-the-test";
/** Addresses in use: one for every scaler, so that KEDA's connections to one tell nothing of another. */
let used = 0;

interface ScalerProcessOptions {
  /** Of the gateway; null: it has no load data. */
  readonly rateRps?: number | null;
  readonly kubernetes?: boolean;
  /** Name of the Lease by which it is one of several; its state is in the namespace of the first pipeline. */
  readonly lease?: string;
  /** As whom it asks the API server; missing: the administrator. */
  readonly kubeconfig?: string;
  /** More arguments of the command. */
  readonly args?: readonly string[];
  /** Makes the folder with the certificate for the scaler's host; without it KEDA's port is plaintext. */
  readonly tlsFolder?: (host: string) => string;
}

/** `variscale scaler` as a process of its own, with load from a gateway and its replicas pinned by tests. */
export class ScalerProcess {
  /** What ScaledObjects name. */
  readonly address: string;
  readonly program: Program;
  readonly #gateway: FakeGateway;
  readonly host: string;
  /** Of its pipeline files. */
  readonly #folder: string;

  private constructor(host: string, folder: string, gateway: FakeGateway, program: Program) {
    this.host = host;
    this.#folder = folder;
    this.#gateway = gateway;
    this.program = program;
    this.address = `${host}:6000`;
  }

  /** Writes the file of a pipeline anew, which the process notices by itself. */
  edit(pipeline: ClusterPipeline): void {
    writePipeline(this.#folder, pipeline);
  }

  /** Every pipeline has a plan when this is done; without load data (null) there is none, and the process is just ready. */
  static async start(
    cluster: Cluster,
    pipelines: readonly ClusterPipeline[],
    { rateRps = 1, kubernetes = false, lease, kubeconfig, args: more = [], tlsFolder }: ScalerProcessOptions = {},
  ): Promise<ScalerProcess> {
    used += 1;
    const host = `10.77.1.${used}`;
    const folder = join(cluster.folder, `scaler-${used}`);
    const files = pipelines.map(pipeline => writePipeline(folder, pipeline));
    const gateway = await FakeGateway.start(systemClock);
    gateway.rateRps = rateRps ?? 0;
    if (rateRps === null) gateway.answer = response => response.writeHead(503).end();
    const args = ["--host", host, "--load-source", `gateway=${gateway.url}`, "--state-dir", join(folder, "state")];
    const watching = ["--kubernetes", kubernetes ? "on" : "off"];
    const secured = tlsFolder === undefined ? [] : ["--tls-folder", tlsFolder(host)];
    const shared = ["--ha", "lease", "--lease-name", lease ?? "", "--lease-namespace", pipelines[0]?.namespace ?? ""];
    const program = new Program({
      name: `scaler-${used}`,
      command: process.execPath,
      args: [
        "--v8-pool-size=1",
        "--max-semi-space-size=1",
        join(packageFolder, "dist/cli/main.js"),
        "scaler",
        ...files,
        ...args,
        ...watching,
        ...(lease === undefined ? [] : shared),
        ...secured,
        ...more,
      ],
      env: { VARISCALE_TOKEN: TOKEN, KUBECONFIG: kubeconfig ?? cluster.kubeconfig },
      logFile: join(cluster.folder, "log", `scaler-${used}`),
    });
    const scaler = new ScalerProcess(host, folder, gateway, program);
    program.start();
    if (rateRps !== null) await scaler.untilPlanned();
    else await scaler.untilServing();
    return scaler;
  }

  /** From now on there is load. */
  load(rateRps: number): void {
    this.#gateway.answer = null;
    this.#gateway.rateRps = rateRps;
  }

  /** From now on its source answers with an error. */
  loseLoad(): void {
    this.#gateway.answer = response => response.writeHead(503).end();
  }

  /** It plans and assigns. */
  async leads(): Promise<boolean> {
    const response = await fetch(`http://${this.host}:8080/leader`).catch(() => null);
    return response?.status === 200;
  }

  async untilServing(): Promise<void> {
    await this.program.until(async () => (await this.#read("").catch(() => null)) !== null, "ready");
  }

  async untilPlanned(): Promise<void> {
    await this.program.until(async () => {
      const pipelines = await this.#read("").catch(() => null);
      return pipelines?.pipelines?.every((pipeline: Json) => pipeline.decisionId !== null) ?? false;
    }, "plans for every pipeline");
  }

  /** Pins the replicas of a stage, and waits until that is what KEDA is told. Gives the time of it, ms since 1970. */
  async pin(pipeline: ClusterPipeline, stage: string, replicas: number): Promise<number> {
    await this.change(pipeline, stage, replicas);
    return this.untilTold(pipeline, stage, replicas);
  }

  /** Pins the replicas of a stage; KEDA may be told others. */
  change(pipeline: ClusterPipeline, stage: string, replicas: number): Promise<void> {
    return this.#change("PUT", pipeline, JSON.stringify({ stage, replicas, ttlMs: 3_600_000 }));
  }

  /** Removes all pins of a pipeline. */
  async unpin(pipeline: ClusterPipeline): Promise<void> {
    await this.#change("DELETE", pipeline);
  }

  /** Waits until KEDA is told this many replicas. Gives the time of it, ms since 1970. */
  async untilTold(pipeline: ClusterPipeline, stage: string, replicas: number, timeoutMs = 180_000): Promise<number> {
    const path = pathOf(pipeline);
    await this.program.until(
      async () => {
        const { board } = await this.#read(path);
        return board.stages.find((other: Json) => other.stage === stage).replicasNow === replicas;
      },
      `KEDA is told ${replicas} for ${path} ${stage}`,
      timeoutMs,
    );
    return Date.now();
  }

  /** Waits until it has decided with this many pods of the stage: its Deployment gets some time after its HPA asked for them. */
  async untilSeen(pipeline: ClusterPipeline, stage: string, pods: number): Promise<void> {
    const path = pathOf(pipeline);
    await this.program.until(async () => {
      const { decisions } = await this.#read(`${path}/decisions?limit=1`);
      return decisions[0]?.given.scaling[stage]?.current === pods;
    }, `${pods} pods seen of ${path} ${stage}`);
  }

  /** Calls of a method that ended so far, by code. */
  async calls(method: string): Promise<Readonly<Record<string, number>>> {
    const text = await this.#metrics();
    const pattern = new RegExp(`^variscale_rpc_total\\{method="${method}",code="(\\w+)"\\} (\\d+)`, "gm");
    return Object.fromEntries([...text.matchAll(pattern)].map(match => [match[1], Number(match[2])]));
  }

  /** KEDA's open streams. */
  async streams(): Promise<number> {
    return Number(/^variscale_streams\{peer="keda"\} (\d+)$/m.exec(await this.#metrics())?.[1]);
  }

  async close(): Promise<void> {
    await this.program.stop();
    await this.#gateway.close();
  }

  async #change(method: string, pipeline: ClusterPipeline, body?: string): Promise<void> {
    const response = await fetch(`http://${this.host}:8080/api/v1/pipelines${pathOf(pipeline)}/pin`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { body }),
    });
    assert.equal(response.status, 200, await response.text());
  }

  /** What the HTTP API says of a pipeline; null: it has none of the name. */
  async page(pipeline: Pick<ClusterPipeline, "namespace" | "name">): Promise<Json | null> {
    const page = await this.#read(pathOf(pipeline));
    return page.board === undefined ? null : page;
  }

  async #metrics(): Promise<string> {
    return (await fetch(`http://${this.host}:8080/metrics`)).text();
  }

  async #read(path: string): Promise<Json> {
    const response = await fetch(`http://${this.host}:8080/api/v1/pipelines${path}`);
    return response.json();
  }
}

function pathOf({ namespace, name }: Pick<ClusterPipeline, "namespace" | "name">): string {
  return `/${namespace}/${name}`;
}
