import type { NackCode } from "../domain/assignment.ts";
import type { Datatype } from "../domain/tensor.ts";
import type { NativeFlag } from "./native-flag.ts";

/** What a session's thread is started with. */
export interface SessionWorkerData {
  readonly native: NativeFlag;
}

/** A tensor on its way between the main thread and a session's thread; `data` is transferred, never copied. */
export interface TransferredTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: ArrayBuffer;
  /** From the beginning of `data`; what follows is none of the tensor's. */
  readonly bytes: number;
}

/** What a model says about one of its inputs or outputs; -1 stands for a dimension that is not fixed. */
export interface ModelTensor {
  readonly name: string;
  /** Null: a type that the Open Inference Protocol has no name for, or no tensor at all. */
  readonly datatype: Datatype | null;
  readonly shape: readonly number[];
}

export interface LoadRequest {
  readonly kind: "load";
  readonly modelFolder: string;
  readonly model: string;
  readonly sha256: string;
  readonly threads: number;
  /** Other sessions use the same cores: threads that wait for the next operator give theirs up, in the place of spinning. */
  readonly isShared: boolean;
}

export interface RunRequest {
  readonly kind: "run";
  readonly inputs: readonly TransferredTensor[];
  readonly outputs: readonly string[];
}

/** Gives up the model; another one may be loaded then. */
export interface ReleaseRequest {
  readonly kind: "release";
}

export type SessionRequest = LoadRequest | RunRequest | ReleaseRequest;

export interface Loaded {
  readonly kind: "loaded";
  readonly inputs: readonly ModelTensor[];
  readonly outputs: readonly ModelTensor[];
  readonly fileBytes: number;
}

export interface Refused {
  readonly kind: "refused";
  readonly code: NackCode;
  readonly message: string;
}

export function refuse(code: NackCode, message: string): Refused {
  return { kind: "refused", code, message };
}

/** A newer Switch came in between. */
export const SUPERSEDED = refuse("superseded", "a newer Switch came in between");

export interface Ran {
  readonly kind: "ran";
  readonly outputs: readonly TransferredTensor[];
  /** The inputs' buffers, to be used again. */
  readonly spare: readonly ArrayBuffer[];
  /** Of the model alone, without the way there and back. */
  readonly serviceMs: number;
}

/** The model could not run on these inputs; the session is as good as before. */
export interface RunFailed {
  readonly kind: "failed";
  readonly message: string;
}

export interface Released {
  readonly kind: "released";
}

export type SessionReply = Loaded | Refused | Ran | RunFailed | Released;
