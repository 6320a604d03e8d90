import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { isInNative, newNativeFlag } from "./native-flag.ts";
import type { SessionReply, SessionRequest, SessionWorkerData } from "./session-messages.ts";
import { type Alike, ReplyReader, RequestWriter } from "./session-wire.ts";
import { Waiters } from "./waiters.ts";

/** Threads move small messages; the weights lie outside of V8's heap. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };

/** A thread that has not ended after this long works on, and ends itself later. */
const CLOSE_MS = 1000;

/** Threads that work on something: native code can't be interrupted. */
let busyThreads = 0;

/** True when leaving the process the usual way would wait for a thread that works, and that may never end. */
export function hasBusyThreads(): boolean {
  return busyThreads > 0;
}

/** The thread is gone, and with it what was asked. */
export interface Lost {
  readonly kind: "lost";
  readonly reason: string;
}

type Answer = SessionReply | Lost;

/** Who uses a thread. */
export interface ThreadOwner {
  /** Is told of a thread that was given up, but works on until `ended` resolves. */
  readonly onLingering: (ended: Promise<void>) => void;
  /** Is told of a loss while nobody waits for an answer. */
  readonly onIdleLoss: (reason: string) => void;
}

export const NOBODY: ThreadOwner = { onLingering: () => undefined, onIdleLoss: () => undefined };

/** Questions and answers with one thread, which takes them in order; every question is answered. */
export class SessionThread {
  owner: ThreadOwner = NOBODY;
  readonly #worker: Worker;
  readonly #waiting: { readonly settle: (answer: Answer) => void; readonly watchdogMs: number }[] = [];
  /** Questions that the thread has not answered itself. */
  #open = 0;
  #lost: string | null = null;
  #ended: Promise<void> | null = null;
  /** Told once the thread no longer works on anything. */
  readonly #rest = new Waiters();
  /** Of the question that the thread is taken to work on. */
  #watchdogMs = 0;
  #watchdog: NodeJS.Timeout | undefined;
  readonly #native = newNativeFlag();
  readonly #requests = new RequestWriter();
  readonly #replies = new ReplyReader();

  constructor(workerUrl: URL) {
    const workerData = { native: this.#native } satisfies SessionWorkerData;
    this.#worker = new Worker(workerUrl, { workerData, resourceLimits: RESOURCE_LIMITS, execArgv: [] });
    this.#worker.on("message", (message: SessionReply | Alike) => {
      const reply = this.#replies.read(message);
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

  /** It works on nothing, and may be asked. */
  get isIdle(): boolean {
    return this.#lost === null && this.#open === 0;
  }

  /** `watchdogMs`: for this question alone, from when those before it are answered. */
  ask(request: SessionRequest, transfer: readonly ArrayBuffer[], watchdogMs: number): Promise<Answer> {
    if (this.#lost !== null) return Promise.resolve({ kind: "lost", reason: this.#lost });
    return new Promise(resolve => {
      this.#waiting.push({ settle: resolve, watchdogMs });
      if (this.#waiting.length === 1) this.#watch();
      if (this.#open++ === 0) busyThreads++;
      this.#requests.send(request, message => this.#worker.postMessage(message, transfer));
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
    const isEnded = await Promise.race([ending.then(() => true), sleep(CLOSE_MS, false, { ref: false })]);
    if (!isEnded) this.owner.onLingering(ending);
  }

  /**
   * A thread must not be ended while it is in native code: the runtime's return into an ended thread aborts the whole process.
   * So one that works is let come to rest first. One that does not, for as long as the watchdog was patient with it, is hung and
   * is ended all the same, but not out of native code, which ending does not stop: there it may be only slow.
   */
  async #end(): Promise<void> {
    if (this.#open > 0) await this.#rest.wait(this.#watchdogMs);
    if (this.#open > 0 && isInNative(this.#native)) await this.#rest.wait();
    await this.#worker.terminate();
  }

  #answered(count: number): void {
    if (this.#open === 0) return;
    this.#open -= count;
    if (this.#open > 0) return;
    busyThreads--;
    this.#rest.tell();
  }

  /** Whoever waits for an answer is told by it; where nobody does, somebody has to be told all the same. */
  #died(reason: string): void {
    const isIdleLoss = this.#lost === null && this.#waiting.length === 0;
    this.#lose(reason);
    if (isIdleLoss) this.owner.onIdleLoss(reason);
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
