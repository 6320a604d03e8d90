import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import type { PipelineBoard } from "../../control/board.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { sayUnfit } from "../../domain/memory-fit.ts";
import { formatKey, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import type { EndpointTable } from "../../gateway/endpoint-source.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { type ReadOptions, readPipeline } from "../../runtime/read-pipeline.ts";
import { openTracer } from "../../runtime/tracing/open-tracer.ts";
import { type Scaler, startScaler } from "../../scaler/main.ts";
import { ModelClaims } from "../../variant-switcher/model-claims.ts";
import { checkProfiled } from "../check-profiled.ts";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { type LocalKeda, startLocalKeda } from "./local-keda.ts";
import { ReplicaSet } from "./replica-set.ts";
import { StartFailures } from "./start-failures.ts";
import { findCrowding, switcherConfig } from "./switcher-config.ts";

const HOST = "127.0.0.1";
const READY_TIMEOUT_MS = 60_000;
const FAILURE_LOOK_MS = 1500;
/** Of a core: what forecasts with a model of the pipeline's own cost at most. */
const TRAINING_SHARE = 0.1;

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
  /** Of the scaler's HTTP port. Default: this machine alone. */
  readonly httpHost?: string;
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
  /** Resolves when every stage has a replica that is ready; throws unavailable after 60 s. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts everything; where one part can't be started, what was started is ended again.
 *
 * @throws VariscaleError for a pipeline file that can't be used, a stage that was not measured, or a port that is taken.
 */
export async function startUp(options: UpOptions): Promise<Up> {
  const pipeline = readPipeline(options.file, options.read);
  checkProfiled(pipeline, options.file);
  sayUnfit(pipeline, line => options.logger.warn(line));
  const parts: Parts = { runFolder: createRunFolder(), sets: [] };
  try {
    return await startParts(options, pipeline, parts);
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

function createRunFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), "variscale-up-"));
  } catch (error) {
    throw new VariscaleError(
      "failed_precondition",
      `can't write to the folder for temporary files, ${tmpdir()} (${VariscaleError.from(error).message}). Make room, or set TMPDIR to another one.`,
      { cause: error },
    );
  }
}

/** What runs, as far as it was started. */
interface Parts {
  readonly runFolder: string;
  readonly sets: ReplicaSet[];
  gateway?: GatewayProcess;
  scaler?: Scaler;
  keda?: LocalKeda;
}

async function closeParts({ runFolder, sets, gateway, scaler, keda }: Parts): Promise<void> {
  keda?.close();
  // The gateway goes first, so that no request meets a replica that is going away.
  await gateway?.close();
  await Promise.all([scaler?.close(), ...sets.map(set => set.close())]);
  rmSync(runFolder, { recursive: true, force: true });
}

async function startParts(options: UpOptions, pipeline: Pipeline, parts: Parts): Promise<Up> {
  const { logger, ports } = options;
  const { sets } = parts;
  const gateway = await startGatewayProcess({ ...options, host: HOST, port: ports.gateway });
  parts.gateway = gateway;
  const scaler = await startScaler({
    pipelines: [pipeline],
    loadSources: { [pipeline.loadSource]: { kind: "gateway", url: `http://${HOST}:${gateway.port}` } },
    host: HOST,
    httpHost: options.httpHost ?? HOST,
    ports: { keda: ports.keda, switchers: ports.switchers, http: ports.http },
    stateDir: options.stateDir,
    machineCores: options.machineCores,
    joinsVotes: true,
    withoutVote: gateway.withoutVote,
    training: { share: TRAINING_SHARE },
    tracer: await openTracer(process.env, { service: "variscale-scaler", instance: hostname(), attributes: {} }),
    logger,
  });
  parts.scaler = scaler;
  const waiting = new Set<() => void>();
  const isReady = (): boolean => sets.every(set => set.endpoints().length > 0);
  const sendEndpoints = (): void => {
    gateway.setEndpoints(endpointTable(sets, scaler.boards.latest(pipeline.key)));
    if (isReady()) for (const resolve of waiting) resolve();
  };
  let voters = "";
  scaler.boards.subscribe(pipeline.key, ({ stages }) => {
    const now = JSON.stringify(stages.map(stage => stage.voters ?? null));
    if (now === voters) return;
    voters = now;
    sendEndpoints();
  });
  const failures = new StartFailures(pipeline);
  const findFailure = (): string | null => {
    const readyStages = sets.filter(set => set.endpoints().length > 0).map(({ stage }) => stage);
    return failures.look(readyStages, scaler.switchers(pipeline.key));
  };
  const claims = new ModelClaims();
  for (const stage of pipeline.stages) {
    const argsOf = (pod: string) => switcherArgs(options, pipeline, stage, pod, parts.runFolder, scaler);
    sets.push(new ReplicaSet({ stage: stage.name, logger, claims, argsOf, onChange: sendEndpoints }));
  }
  for (const [i, set] of sets.entries()) set.scale(Math.max(1, pipeline.stages[i]?.replicas.min ?? 1));
  parts.keda = startLocalKeda({
    scalerAddress: `${HOST}:${scaler.ports.keda}`,
    pipeline,
    logger,
    onReplicas: (stage, replicas) => sets.find(set => set.stage === stage)?.scale(replicas),
  });
  return {
    pipeline,
    url: `http://${HOST}:${gateway.port}/v1/pipelines/${formatKey(pipeline.key)}`,
    scaler,
    board: () => scaler.boards.latest(pipeline.key),
    ready: () => whenReady(waiting, isReady, findFailure, failures),
    close: () => closeParts(parts),
  };
}

/** The replicas that are ready, with the variants that they stand for where a stage votes. */
function endpointTable(sets: readonly ReplicaSet[], board: PipelineBoard | null): EndpointTable {
  return Object.fromEntries(
    sets.map(set => {
      const voters = board?.stages.find(({ stage }) => stage === set.stage)?.voters ?? {};
      return [set.stage, set.endpoints().map(({ pod, address }) => ({ address, voter: voters[pod] }))];
    }),
  );
}

/** Its configuration is written at every start: temporary files may be gone when a replica has to be started again. */
function switcherArgs(
  options: UpOptions,
  pipeline: Pipeline,
  stage: Stage,
  pod: string,
  runFolder: string,
  scaler: Scaler,
): string[] {
  const file = join(runFolder, `${pod}.json`);
  const config = switcherConfig(pipeline, stage, pod, {
    host: HOST,
    modelFolder: options.modelFolder,
    logLevel: options.logLevel,
    scalerAddress: `${HOST}:${scaler.ports.switchers}`,
    stateFile: join(runFolder, `${pod}.state.json`),
    crowding: findCrowding(pipeline, options.machineCores),
  });
  mkdirSync(runFolder, { recursive: true });
  writeFileSync(file, JSON.stringify(config));
  return ["switcher", "--config", file];
}

function whenReady(
  waiting: Set<() => void>,
  isReady: () => boolean,
  findFailure: () => string | null,
  failures: StartFailures,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const end = (message: string): void => {
      clearInterval(timer);
      reject(new VariscaleError("unavailable", message));
    };
    const timer = setInterval(() => {
      const failure = findFailure();
      if (failure !== null) return end(failure);
      if (performance.now() - startMs < READY_TIMEOUT_MS) return;
      const missing = failures.messages ?? "the log says why";
      end(`no replica of every stage was ready within ${READY_TIMEOUT_MS / 1000} s; ${missing}`);
    }, FAILURE_LOOK_MS);
    const done = (): void => {
      clearInterval(timer);
      waiting.delete(done);
      resolve();
    };
    waiting.add(done);
    if (isReady()) done();
  });
}
