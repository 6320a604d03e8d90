import type { OpenOptions, OpenSession } from "./driver.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import {
  type Loaded,
  type Refused,
  type RunFailed,
  refuse,
  SUPERSEDED,
  type TransferredTensor,
} from "./session-messages.ts";
import { type Lost, NOBODY, SessionThread } from "./session-thread.ts";
import type { SpareThread } from "./spare-thread.ts";

const DEFAULT_WORKER = new URL("./session-worker.js", import.meta.url);

/** A thread that does not answer for this long, or 20 times what is expected, is taken for hung. */
const MIN_WATCHDOG_MS = 10_000;
/** Loading reads a file and compiles a graph: slow disks are no hang. */
const MIN_LOAD_WATCHDOG_MS = 120_000;
const WATCHDOG_FACTOR = 20;

/**
 * `unserved`: what runs the model could not run this batch, whatever is in it, and the session is as good as before. `lost`: the thread
 * crashed or hung, and with it the session.
 */
export type RunResult =
  | {
      readonly kind: "ran";
      readonly outputs: readonly NamedTensor[];
      /** The inputs' buffers, to be used again. */
      readonly spare: readonly ArrayBuffer[];
      readonly serviceMs: number;
    }
  | RunFailed
  | { readonly kind: "unserved"; readonly reason: string }
  /** Nobody waits for the batch any more, so its run was broken off. It would have taken longer than `leastMs`. */
  | { readonly kind: "expired"; readonly leastMs: number; readonly reason: string }
  /** `isNotRun`: the batch did not even get there, so it is not to blame. */
  | (Lost & { readonly isNotRun?: boolean });

/** Something that runs batches of one variant. */
export interface ModelSession {
  readonly variant: string;
  /** It can't run anything any more. */
  readonly isLost: boolean;
  /** Somebody waits for the batch for `leftMs`; default: as long as it takes. */
  run(
    inputs: readonly TransferredTensor[],
    outputs: readonly string[],
    expectedMs: number,
    leftMs?: number,
  ): Promise<RunResult>;
}

/**
 * The driver `onnx`: loads the model in a thread that is there, or in one that it starts, where onnxruntime runs. An aborted `signal` ends the
 * thread and gives `superseded`.
 */
export async function openOnnx(options: OpenOptions, signal: AbortSignal): Promise<OpenSession | Refused> {
  if (signal.aborted) return SUPERSEDED;
  const startMs = performance.now();
  const spare = options.spare?.take() ?? null;
  const inSpare = spare && (await openIn(spare, options, signal));
  // A thread that dies of what was in it before says nothing of this model; one that hangs does.
  const isDead = inSpare !== null && isLost(inSpare) && performance.now() - startMs < MIN_WATCHDOG_MS;
  const isOpened = inSpare !== null && !isDead;
  const thread = (): SessionThread => new SessionThread(options.workerUrl ?? DEFAULT_WORKER);
  const opened = isOpened ? inSpare : await openIn(thread(), options, signal);
  if (!isLost(opened)) return opened;
  return refuse("model_invalid", `${options.variant.model} broke the thread that loads it: ${opened.reason}`);
}

async function openIn(
  thread: SessionThread,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<Session | Refused | Lost> {
  thread.owner = options.owner ?? NOBODY;
  const abort = (): void => void thread.close("superseded");
  signal.addEventListener("abort", abort, { once: true });
  const { model, sha256, loadMs } = options.variant;
  const watchdogMs = Math.max(MIN_LOAD_WATCHDOG_MS, WATCHDOG_FACTOR * (loadMs ?? 0));
  const { modelFolder, threads, isShared = false } = options;
  const load = { kind: "load", modelFolder, model, sha256: sha256 ?? "", threads, isShared } as const;
  const reply = await thread.ask(load, [], watchdogMs);
  signal.removeEventListener("abort", abort);
  if (reply.kind === "loaded" && !signal.aborted) return new Session(options, reply, thread);
  await thread.close("not needed");
  if (signal.aborted) return SUPERSEDED;
  if (reply.kind === "refused" || reply.kind === "lost") return reply;
  return { kind: "lost", reason: `it answered ${reply.kind}` };
}

/** One model in a thread that nothing else uses, which runs one batch after the other. */
class Session implements OpenSession {
  readonly variant: string;
  readonly model: Loaded;
  readonly #thread: SessionThread;
  #closed: Promise<void> | null = null;
  readonly #minWatchdogMs: number;

  constructor(options: OpenOptions, model: Loaded, thread: SessionThread) {
    this.variant = options.variant.name;
    this.model = model;
    this.#thread = thread;
    this.#minWatchdogMs = options.minWatchdogMs ?? MIN_WATCHDOG_MS;
  }

  /** Its thread is gone. */
  get isLost(): boolean {
    return this.#closed !== null || this.#thread.isLost;
  }

  /** The inputs' buffers are given away. `expectedMs`: what this batch usually takes; 0: not known. */
  async run(inputs: readonly TransferredTensor[], outputs: readonly string[], expectedMs: number): Promise<RunResult> {
    if (this.#closed !== null) return { kind: "lost", reason: "closed" };
    const watchdogMs = Math.max(this.#minWatchdogMs, WATCHDOG_FACTOR * expectedMs);
    const data = inputs.map(input => input.data);
    const reply = await this.#thread.ask({ kind: "run", inputs, outputs }, data, watchdogMs);
    switch (reply.kind) {
      case "ran":
        return {
          kind: "ran",
          outputs: reply.outputs.map(received),
          spare: reply.spare,
          serviceMs: reply.serviceMs,
        };
      case "failed":
      case "lost":
        return reply;
      default:
        return { kind: "failed", message: `the session's thread answered ${reply.kind}` };
    }
  }

  /** Frees the model, and ends the thread unless `spare` keeps it. Later calls only wait: the thread may be another session's by then. */
  close(spare?: SpareThread): Promise<void> {
    this.#closed ??= this.#end(spare);
    return this.#closed;
  }

  async #end(spare: SpareThread | undefined): Promise<void> {
    if (!(await spare?.keep(this.#thread))) await this.#thread.close("closed");
  }
}

function isLost(opened: Session | Refused | Lost): opened is Lost {
  return "kind" in opened && opened.kind === "lost";
}

function received(tensor: TransferredTensor): NamedTensor {
  return {
    name: tensor.name,
    datatype: tensor.datatype,
    shape: tensor.shape,
    bytes: new Uint8Array(tensor.data, 0, tensor.bytes),
  };
}
