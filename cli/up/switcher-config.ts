import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import type { SwitcherConfig } from "../../variant-switcher/config.ts";

export interface SwitcherContext {
  readonly host: string;
  readonly modelFolder: string;
  readonly logLevel: LogLevel;
  readonly scalerAddress: string;
  readonly stateFile: string;
}

/** A switcher's configuration as its file has it: tensors in base64, what is absent left out. */
export type SwitcherFile = Omit<SwitcherConfig, "golden" | "accuracy"> & {
  readonly golden: Stage["golden"];
  readonly accuracy: Stage["accuracy"] | null;
};

/** All replicas share the cores of this machine: batches of the four pipelines take 1.4 to 2.2 times what was measured while others are busy. */
const SHARED_CROWDING = 2;

/** What the switcher of one replica is started with: all ports are any that are free. */
export function switcherConfig(pipeline: Pipeline, stage: Stage, pod: string, context: SwitcherContext): SwitcherFile {
  const { host, modelFolder, logLevel, scalerAddress, stateFile } = context;
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
    crowding: SHARED_CROWDING,
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
