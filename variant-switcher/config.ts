import type { PipelineKey } from "../domain/pipeline.ts";
import type { Profile } from "../domain/profile-schema.ts";
import type { StageContract } from "../domain/tensor.ts";
import type { LogLevel } from "../runtime/logger.ts";
import type { AccuracyConfig } from "./accuracy-signals.ts";
import type { GoldenCase } from "./golden.ts";

/** Measured service time of one batch size. */
export type ServicePoint = Pick<Profile["points"][number], "batch" | "latencyMs" | "scv">;

/** A model that a switcher can serve. */
export interface SwitcherVariant {
  readonly name: string;
  /**
   * `onnx`: onnxruntime in this process. `remote`: another server of the Open Inference Protocol in the same pod. `emulated`: nothing
   * computes, the Profile is replayed.
   */
  readonly driver: "onnx" | "remote" | "emulated";
  /** Path inside the model folder; the model's name in the remote server. */
  readonly model: string;
  /** Only the driver `onnx` has it. */
  readonly sha256: string | null;
  /** http:// address of the remote server, only of `remote`. */
  readonly url: string | null;
  /** From the Profile; null: not measured. */
  readonly loadMs: number | null;
  /** Of one session, from the Profile; null: not measured. */
  readonly memoryMiB: number | null;
  /** Service times by batch, from the Profile, in ascending order; empty: not measured. */
  readonly points: readonly ServicePoint[];
}

/** Everything that a switcher is told when it starts. */
export interface SwitcherConfig {
  readonly pipeline: PipelineKey;
  readonly stage: string;
  /** Unique among the stage's replicas. */
  readonly pod: string;
  readonly contract: StageContract;
  readonly variants: readonly SwitcherVariant[];
  readonly defaultVariant: string;
  readonly modelFolder: string;
  /** Whole cores become threads within an operator, at least one. */
  readonly cores: number;
  /** Batches take up to so many times what was measured while other replicas are busy on the same cores; 1: it has its cores to itself. */
  readonly crowding: number;
  /** Of the whole process. */
  readonly memoryMiB: number;
  /** Where inference and metrics listen. */
  readonly host: string;
  /** Where the admin endpoint listens: the loopback interface unless there is a token, or mutual TLS. */
  readonly adminHost: string;
  readonly adminToken: string | null;
  /** Mutual TLS of the admin endpoint: has tls.crt, tls.key and ca.crt, which signs operators' certificates; null: plaintext. */
  readonly adminTlsFolder: string | null;
  /** Whether clients may load and unload variants by the model-repository extension; Triton's words for it. */
  readonly modelControl: "none" | "explicit";
  /** 0: one that is free. */
  readonly ports: { readonly http: number; readonly grpc: number; readonly admin: number; readonly metrics: number };
  /** host:port of the scaler; null: there is none. */
  readonly scalerAddress: string | null;
  /** Mutual TLS towards the scaler: has tls.crt, tls.key and ca.crt; null: plaintext. */
  readonly tlsFolder: string | null;
  /** With the token by which the scaler knows this switcher, read again for every stream; null: it shows none. */
  readonly scalerTokenFile: string | null;
  /** host:port under which gateways reach this switcher; null: `host` and the port that it got. */
  readonly advertiseAddress: string | null;
  /** Keeps the last Assignment; null: it is forgotten at the end. */
  readonly stateFile: string | null;
  /**
   * The process that counts which models other servers have loaded for us: this one, or, where replicas share a server, the process that
   * started them all.
   */
  readonly modelClaims: "self" | "parent";
  readonly queue: { readonly maxRows: number; readonly maxBytes: number };
  readonly golden: readonly GoldenCase[];
  /** Null: answers are not looked at. */
  readonly accuracy: AccuracyConfig | null;
  readonly logLevel: LogLevel;
}
