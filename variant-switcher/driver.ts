import type { StageContract } from "../domain/tensor.ts";
import type { SwitcherVariant } from "./config.ts";
import type { ModelSession } from "./session.ts";
import type { Loaded, Refused } from "./session-messages.ts";
import type { ThreadOwner } from "./session-thread.ts";
import type { SpareThread } from "./spare-thread.ts";

/** A session that is ready to be verified, warmed and served. */
export interface OpenSession extends ModelSession {
  readonly model: Pick<Loaded, "inputs" | "outputs" | "fileBytes">;
  /** Gives up the model and everything that was kept for it, but for the thread, which `spare` may keep. */
  close(spare?: SpareThread): Promise<void>;
}

export interface OpenOptions {
  readonly variant: SwitcherVariant;
  readonly contract: StageContract;
  readonly modelFolder: string;
  /** Threads within one operator: the stage's cores. */
  readonly threads: number;
  /** Other sessions use the same cores. Default: none does. */
  readonly isShared?: boolean;
  /** The script of a session's thread. Default: the one beside session.ts. */
  readonly workerUrl?: URL;
  /** Shortest time after which a run is taken for hung. Default 10 s. */
  readonly minWatchdogMs?: number;
  /** Where there may be a thread to use. */
  readonly spare?: SpareThread;
  /** Is told what becomes of the session's thread. */
  readonly owner?: ThreadOwner;
}

/** What turns a variant into a session. An aborted `signal` gives `superseded` and leaves nothing behind. */
export type Driver = (options: OpenOptions, signal: AbortSignal) => Promise<OpenSession | Refused>;

export function isRefused(session: OpenSession | Refused): session is Refused {
  return "kind" in session;
}

/** The driver of a variant. Those that are not used are not loaded. */
export async function driverOf(kind: SwitcherVariant["driver"]): Promise<Driver> {
  switch (kind) {
    case "onnx":
      return (await import("./session.ts")).openOnnx;
    case "remote":
      return (await import("./remote-session.ts")).openRemote;
    case "emulated":
      return (await import("./emulated-session.ts")).openEmulated;
    default:
      return kind satisfies never;
  }
}
