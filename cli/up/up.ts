import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import type { PipelineBoard } from "../../control/board.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { formatKey, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import type { EndpointsMessage } from "../../gateway/endpoint-source.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { type ReadOptions, readPipeline } from "../../runtime/read-pipeline.ts";
import { type Scaler, startScaler } from "../../scaler/main.ts";
import type { SwitcherConfig } from "../../variant-switcher/config.ts";
import { type Child, startChild } from "./child-process.ts";
import { startLocalKeda } from "./local-keda.ts";
import { ReplicaSet } from "./replica-set.ts";

const HOST = "127.0.0.1";
const READY_TIMEOUT_MS = 60_000;

export interface UpOptions {
  /** The pipeline file, or its folder. */
  readonly file: string;
  readonly read: ReadOptions;
  readonly modelFolder: string;
  readonly machineCores: number;
  /** Null: nothing is kept. */
  readonly stateDir: string | null;
  /** 0: any that is free. */
  readonly ports: {
    readonly gateway: number;
    readonly http: number;
    readonly keda: number;
    readonly switchers: number;
  };
  readonly logger: Logger;
  readonly logLevel: LogLevel;
}

/** A pipeline that is served on this machine: scaler in this process, gateway and replicas as child processes. */
export interface Up {
  readonly pipeline: Pipeline;
  /** Where requests are sent. */
  readonly url: string;
  readonly scaler: Scaler;
  board(): PipelineBoard | null;
  /** Processes that run now. */
  pids(): readonly number[];
  /** Resolves when every stage has a replica that is ready. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

export async function startUp(options: UpOptions): Promise<Up> {
  const pipeline = readPipeline(options.file, options.read);
  const runFolder = mkdtempSync(join(tmpdir(), "variscale-up-"));
  const gateway = await startGatewayProcess(options);
  const scaler = await startScaler({
    pipelines: [pipeline],
    loadSources: { [pipeline.loadSource]: { kind: "gateway", url: `http://${HOST}:${gateway.port}` } },
    host: HOST,
    ports: { keda: options.ports.keda, switchers: options.ports.switchers, http: options.ports.http },
    stateDir: options.stateDir,
    machineCores: options.machineCores,
    logger: options.logger,
  });
  const waiting = new Set<() => void>();
  const sets = pipeline.stages.map(
    stage =>
      new ReplicaSet({
        stage: stage.name,
        logger: options.logger,
        argsOf: pod => switcherArgs(stage, pod),
        onChange: sendEndpoints,
      }),
  );

  function switcherArgs(stage: Stage, pod: string): string[] {
    const file = join(runFolder, `${pod}.json`);
    const scalerAddress = `${HOST}:${scaler.ports.switchers}`;
    writeFileSync(
      file,
      JSON.stringify(
        switcherConfig(pipeline, stage, pod, {
          ...options,
          scalerAddress,
          stateFile: join(runFolder, `${pod}.state.json`),
        }),
      ),
    );
    return ["switcher", "--config", file];
  }

  function sendEndpoints(): void {
    const stages = Object.fromEntries(sets.map(set => [set.stage, set.endpoints().map(address => ({ address }))]));
    const message: EndpointsMessage = { kind: "endpoints", stages };
    gateway.child.send(message);
    if (sets.every(set => set.endpoints().length > 0)) for (const resolve of waiting) resolve();
  }

  for (const set of sets)
    set.scale(Math.max(1, pipeline.stages.find(stage => stage.name === set.stage)?.replicas.min ?? 1));
  const keda = startLocalKeda({
    scalerAddress: `${HOST}:${scaler.ports.keda}`,
    pipeline,
    logger: options.logger,
    onReplicas: (stage, replicas) => sets.find(set => set.stage === stage)?.scale(replicas),
  });

  return {
    pipeline,
    url: `http://${HOST}:${gateway.port}/v1/pipelines/${formatKey(pipeline.key)}`,
    scaler,
    board: () => scaler.boards.latest(pipeline.key),
    pids: () => [...(gateway.child.pid === undefined ? [] : [gateway.child.pid]), ...sets.flatMap(set => set.pids)],
    ready: () => whenReady(waiting, () => sets.every(set => set.endpoints().length > 0)),
    close: async () => {
      keda.close();
      // The gateway goes first, so that no request meets a replica that is going away.
      await gateway.child.stop(10_000);
      await Promise.all([scaler.close(), ...sets.map(set => set.close())]);
      rmSync(runFolder, { recursive: true, force: true });
    },
  };
}

function whenReady(waiting: Set<() => void>, isReady: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new VariscaleError(
            "unavailable",
            `no replica of every stage was ready within ${READY_TIMEOUT_MS / 1000} s; the log says why`,
          ),
        ),
      READY_TIMEOUT_MS,
    );
    const done = (): void => {
      clearTimeout(timer);
      waiting.delete(done);
      resolve();
    };
    waiting.add(done);
    if (isReady()) done();
  });
}

async function startGatewayProcess(options: UpOptions): Promise<{ readonly child: Child; readonly port: number }> {
  const set = options.read.set?.flatMap(pair => ["--set", pair]) ?? [];
  const args = [
    "gateway",
    options.file,
    "--host",
    HOST,
    "--port",
    String(options.ports.gateway),
    "--log-level",
    options.logLevel,
    ...set,
  ];
  if (options.read.speedFactor !== undefined) args.push("--speed-factor", String(options.read.speedFactor));
  let listening: (port: number) => void = () => undefined;
  const port = new Promise<number>(resolve => {
    listening = resolve;
  });
  const child = startChild(
    args,
    message => {
      const said = message as { kind?: unknown; ports?: { http?: unknown } } | null;
      if (said?.kind === "listening" && typeof said.ports?.http === "number") listening(said.ports.http);
    },
    options.logger,
  );
  const gone = child.gone.then(status => {
    throw new VariscaleError("unavailable", `the gateway ended while it started (${status}); the log says why`);
  });
  // Once it listens, its end is no error of the start.
  gone.catch(() => undefined);
  return { child, port: await Promise.race([port, gone]) };
}

interface SwitcherContext {
  readonly modelFolder: string;
  readonly logLevel: LogLevel;
  readonly scalerAddress: string;
  readonly stateFile: string;
}

function switcherConfig(pipeline: Pipeline, stage: Stage, pod: string, context: SwitcherContext): SwitcherConfig {
  return {
    pipeline: pipeline.key,
    stage: stage.name,
    pod,
    contract: stage.contract,
    variants: stage.variants.map(({ name, model, sha256, profile }) => ({
      name,
      model,
      sha256,
      loadMs: profile?.loadMs ?? null,
      memoryMiB: profile?.memoryMiB ?? null,
    })),
    defaultVariant: stage.defaultVariant,
    modelFolder: context.modelFolder,
    cores: stage.cores,
    memoryMiB: stage.memoryMiB,
    host: HOST,
    adminHost: HOST,
    adminToken: null,
    ports: { http: 0, admin: 0, metrics: 0 },
    scalerAddress: context.scalerAddress,
    advertiseAddress: null,
    stateFile: context.stateFile,
    queue: { maxRows: 1024, maxBytes: 256 * 1024 * 1024 },
    golden: [],
    logLevel: context.logLevel,
  };
}
