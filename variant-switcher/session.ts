import { Worker } from "node:worker_threads";
import type { OpenOptions, OpenSession } from "./driver.ts";
import { isInNative, newNativeFlag } from "./native-flag.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type {
  Loaded,
  Refused,
  RunFailed,
  SessionReply,
  SessionRequest,
  SessionWorkerData,
  TransferredTensor,
} from "./session-messages.ts";

const DEFAULT_WORKER = new URL("./session-worker.js", import.meta.url);

/** A thread that does not answer for this long, or 20 times what is expected, is taken for hung. */
const MIN_WATCHDOG_MS = 10_000;
/** Loading reads a file and compiles a graph: slow disks are no hang. */
const MIN_LOAD_WATCHDOG_MS = 120_000;
const WATCHDOG_FACTOR = 20;

/** Threads move small messages; the weights lie outside of V8's heap. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };

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
  | { readonly kind: "lost"; readonly reason: string };

/** Something that runs batches of one variant. */
export interface ModelSession {
  readonly variant: string;
  /** It can't run anything any more. */
  readonly isLost: boolean;
  run(inputs: readonly TransferredTensor[], outputs: readonly string[], expectedMs: number): Promise<RunResult>;
}

/** The driver `onnx`: onnxruntime in a thread of its own. */
export async function openOnnx(options: OpenOptions, signal: AbortSignal): Promise<OpenSession | Refused> {
  return await Session.open(options, signal);
}

/** One model in a thread of its own, which runs one batch after the other. */
class Session implements OpenSession {
  readonly variant: string;
  readonly model: Loaded;
  readonly #link: ThreadLink;
  readonly #minWatchdogMs: number;

  private constructor(options: OpenOptions, model: Loaded, link: ThreadLink) {
    this.variant = options.variant.name;
    this.model = model;
    this.#link = link;
    this.#minWatchdogMs = options.minWatchdogMs ?? MIN_WATCHDOG_MS;
  }

  /** Starts the thread and loads the model. An aborted `signal` ends the thread and gives `superseded`. */
  static async open(options: OpenOptions, signal: AbortSignal): Promise<Session | Refused> {
    const { onLingering = () => undefined, onIdleLoss = () => undefined } = options;
    const link = new ThreadLink(options.workerUrl ?? DEFAULT_WORKER, onLingering, onIdleLoss);
    const abort = (): void => void link.close("superseded");
    signal.addEventListener("abort", abort, { once: true });
    const { model, sha256, loadMs } = options.variant;
    const watchdogMs = Math.max(MIN_LOAD_WATCHDOG_MS, WATCHDOG_FACTOR * (loadMs ?? 0));
    const { modelFolder, threads } = options;
    const load = { kind: "load", modelFolder, model, sha256: sha256 ?? "", threads } as const;
    const reply = await link.ask(load, [], watchdogMs);
    signal.removeEventListener("abort", abort);
    if (reply.kind === "loaded" && !signal.aborted) return new Session(options, reply, link);
    await link.close("not needed");
    if (signal.aborted) return { kind: "refused", code: "superseded", message: "a newer Switch came in between" };
    if (reply.kind === "refused") return reply;
    const reason = reply.kind === "lost" ? reply.reason : `it answered ${reply.kind}`;
    return { kind: "refused", code: "model_invalid", message: `${model} broke the thread that loads it: ${reason}` };
  }

  /** Its thread is gone. */
  get isLost(): boolean {
    return this.#link.isLost;
  }

  /** The inputs' buffers are given away. `expectedMs`: what this batch usually takes; 0: not known. */
  async run(inputs: readonly TransferredTensor[], outputs: readonly string[], expectedMs: number): Promise<RunResult> {
    const watchdogMs = Math.max(this.#minWatchdogMs, WATCHDOG_FACTOR * expectedMs);
    const data = inputs.map(input => input.data);
    const reply = await this.#link.ask({ kind: "run", inputs, outputs }, data, watchdogMs);
    switch (reply.kind) {
      case "ran":
        return { ...reply, outputs: reply.outputs.map(received) };
      case "failed":
      case "lost":
        return reply;
      default:
        return { kind: "failed", message: `the session's thread answered ${reply.kind}` };
    }
  }

  /** Ends the thread and frees the model. */
  close(): Promise<void> {
    return this.#link.close("closed");
  }
}

/** Threads that work on something: native code can't be interrupted. */
let busyThreads = 0;

/** True when leaving the process the usual way would wait for a thread that works, and that may never end. */
export function hasBusyThreads(): boolean {
  return busyThreads > 0;
}

type Answer = SessionReply | { readonly kind: "lost"; readonly reason: string };

/** Questions and answers with one thread, which takes them in order; every question is answered. */
class ThreadLink {
  readonly #worker: Worker;
  readonly #waiting: { readonly settle: (answer: Answer) => void; readonly watchdogMs: number }[] = [];
  /** Questions that the thread has not answered itself. */
  #open = 0;
  #lost: string | null = null;
  #ended: Promise<void> | null = null;
  /** Called once the thread no longer works on anything. */
  #onRest: (() => void) | null = null;
  /** Of the question that the thread is taken to work on. */
  #watchdogMs = 0;
  #watchdog: NodeJS.Timeout | undefined;
  readonly #native = newNativeFlag();
  readonly #onLingering: (ended: Promise<void>) => void;
  readonly #onIdleLoss: (reason: string) => void;

  constructor(workerUrl: URL, onLingering: (ended: Promise<void>) => void, onIdleLoss: (reason: string) => void) {
    this.#onLingering = onLingering;
    this.#onIdleLoss = onIdleLoss;
    const workerData = { native: this.#native } satisfies SessionWorkerData;
    this.#worker = new Worker(workerUrl, { workerData, resourceLimits: RESOURCE_LIMITS, execArgv: [] });
    this.#worker.on("message", (reply: SessionReply) => {
      this.#answered(1);
      this.#waiting.shift()?.settle(reply);
      this.#watch();
    });
    this.#worker.on("error", (error: Error) => this.#died(error.message));
    this.#worker.on("exit", code => {
      this.#answered(this.#open);
      this.#died(`its thread ended with code ${code}`);
    });
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** `watchdogMs`: for this question alone, from when those before it are answered. */
  ask(request: SessionRequest, transfer: readonly ArrayBuffer[], watchdogMs: number): Promise<Answer> {
    if (this.#lost !== null) return Promise.resolve({ kind: "lost", reason: this.#lost });
    return new Promise(resolve => {
      this.#waiting.push({ settle: resolve, watchdogMs });
      if (this.#waiting.length === 1) this.#watch();
      if (this.#open++ === 0) busyThreads++;
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Resolves when the thread has ended, or after a second when it works on and ends itself later. */
  close(reason: string): Promise<void> {
    this.#lose(reason);
    this.#ended ??= this.#endSoon();
    return this.#ended;
  }

  async #endSoon(): Promise<void> {
    const ending = this.#end();
    if (!(await isWithinASecond(ending))) this.#onLingering(ending);
  }

  /**
   * A thread must not be ended while it is in native code: the runtime's return into an ended thread aborts the whole process.
   * So one that works is let come to rest first. One that does not, for as long as the watchdog was patient with it, is hung and
   * is ended all the same, but not out of native code, which ending does not stop: there it may be only slow.
   */
  async #end(): Promise<void> {
    if (this.#open > 0) {
      await new Promise<void>(resolve => {
        this.#onRest = resolve;
        // A process that has nothing else to do may end meanwhile.
        setTimeout(resolve, this.#watchdogMs).unref();
      });
    }
    if (this.#open > 0 && isInNative(this.#native)) {
      await new Promise<void>(resolve => {
        this.#onRest = resolve;
      });
    }
    await this.#worker.terminate();
  }

  #answered(count: number): void {
    if (this.#open === 0) return;
    this.#open -= count;
    if (this.#open > 0) return;
    busyThreads--;
    this.#onRest?.();
  }

  /** Whoever waits for an answer is told by it; where nobody does, somebody has to be told all the same. */
  #died(reason: string): void {
    const isIdleLoss = this.#lost === null && this.#waiting.length === 0;
    this.#lose(reason);
    if (isIdleLoss) this.#onIdleLoss(reason);
  }

  #lose(reason: string): void {
    this.#lost ??= reason;
    for (const { settle } of this.#waiting.splice(0)) settle({ kind: "lost", reason: this.#lost });
    this.#watch();
  }

  /** Looks at how long the oldest question takes. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const [oldest] = this.#waiting;
    if (!oldest) return;
    const { watchdogMs } = oldest;
    this.#watchdogMs = watchdogMs;
    this.#watchdog = setTimeout(() => {
      void this.close(`no answer within ${Math.round(watchdogMs)} ms`);
    }, watchdogMs);
  }
}

async function isWithinASecond(ending: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), 1000);
  });
  const isEnded = await Promise.race([ending.then(() => true), late]);
  clearTimeout(timer);
  return isEnded;
}

function received(tensor: TransferredTensor): NamedTensor {
  return {
    name: tensor.name,
    datatype: tensor.datatype,
    shape: tensor.shape,
    bytes: new Uint8Array(tensor.data, 0, tensor.bytes),
  };
}
