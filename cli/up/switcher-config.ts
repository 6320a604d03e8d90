import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import type { SwitcherConfig } from "../../variant-switcher/config.ts";

export interface SwitcherContext {
  readonly host: string;
  readonly modelFolder: string;
  readonly logLevel: LogLevel;
  readonly scalerAddress: string;
  readonly stateFile: string;
  readonly crowding: number;
}

/** A switcher's configuration as its file has it: tensors in base64, what is absent left out. */
export type SwitcherFile = Omit<SwitcherConfig, "golden" | "accuracy"> & {
  readonly golden: Stage["golden"];
  readonly accuracy: Stage["accuracy"] | null;
};

/** While other replicas are busy on the same cores, batches of the pipelines that come with the package take 1.4 to 2.2 times what was measured. */
const SHARED_CROWDING = 2;

/** How many times longer than measured batches may take where all replicas of a pipeline run on a machine with so many cores. */
export function findCrowding({ stages }: Pick<Pipeline, "stages">, machineCores: number): number {
  const most = stages.reduce((sum, { replicas, cores }) => sum + replicas.max * cores, 0);
  return most > machineCores ? SHARED_CROWDING : 1;
}

/** What the switcher of one replica is started with: all ports are any that are free. */
export function switcherConfig(pipeline: Pipeline, stage: Stage, pod: string, context: SwitcherContext): SwitcherFile {
  const { host, modelFolder, logLevel, scalerAddress, stateFile, crowding } = context;
  return {
    pipeline: pipeline.key,
    stage: stage.name,
    pod,
    contract: stage.contract,
    variants: stage.variants.map(({ name, driver, model, sha256, url, profile }) => ({
      name,
      driver,
      model,
      sha256,
      url,
      loadMs: profile?.loadMs ?? null,
      memoryMiB: profile?.memoryMiB ?? null,
      points: profile?.points.map(({ batch, latencyMs, scv }) => ({ batch, latencyMs, scv })) ?? [],
    })),
    defaultVariant: stage.defaultVariant,
    modelFolder,
    cores: stage.cores,
    crowding,
    memoryMiB: stage.memoryMiB,
    host,
    adminHost: host,
    adminToken: null,
    adminTlsFolder: null,
    modelControl: "none",
    ports: { http: 0, grpc: 0, admin: 0, metrics: 0 },
    scalerAddress,
    tlsFolder: null,
    scalerTokenFile: null,
    advertiseAddress: null,
    stateFile,
    modelClaims: "parent",
    queue: { maxRows: 1024, maxBytes: 256 * 1024 * 1024 },
    golden: stage.golden,
    accuracy: stage.accuracy ?? null,
    logLevel,
  };
}
