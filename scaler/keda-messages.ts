import type { SecureContextOptions } from "node:tls";
import type { ErrorCode } from "../domain/errors.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { LogFields } from "./grpc-call.ts";
import type { AnsweredBoard, AnsweredPipeline } from "./keda-answer.ts";
import type { Refusal, ScaledObjectName } from "./refusals.ts";

/** What the thread that answers KEDA is started with. */
export interface KedaThreadStart {
  readonly host: string;
  readonly port: number;
  /** Null: plaintext. */
  readonly tls: SecureContextOptions | null;
  readonly staleAfterMs: number;
  readonly known: Known;
}

/** What has changed of what KEDA is answered from. A pipeline comes with its board, if it has one. */
export interface Known {
  readonly pipelines: readonly AnsweredPipeline[];
  readonly gone: readonly PipelineKey[];
  readonly boards: readonly AnsweredBoard[];
}

export type ToKedaThread =
  | { readonly kind: "known"; readonly known: Known }
  | { readonly kind: "certificates"; readonly tls: SecureContextOptions }
  | { readonly kind: "serving"; readonly serving: boolean }
  | { readonly kind: "close"; readonly graceMs: number };

/** One call: method, gRPC code and seconds. */
export type AnsweredCall = readonly [method: string, code: number, seconds: number];

export type FromKedaThread =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string }
  /** Every second. */
  | { readonly kind: "report"; readonly calls: readonly AnsweredCall[]; readonly openStreams: number }
  | { readonly kind: "refused"; readonly scaledObject: ScaledObjectName; readonly refusal: Refusal }
  | {
      readonly kind: "log";
      readonly level: "warn" | "error";
      readonly fields: LogFields;
      readonly message: string;
    };
