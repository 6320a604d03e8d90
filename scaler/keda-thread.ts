import { Worker } from "node:worker_threads";
import { VariscaleError } from "../domain/errors.ts";
import { keepHeapSmallStill } from "../runtime/small-heap.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import type { CallContext } from "./grpc-call.ts";
import { KedaFeed, type KedaFeedOptions } from "./keda-feed.ts";
import type { FromKedaThread, KedaThreadStart, ToKedaThread } from "./keda-messages.ts";
import type { KedaServer } from "./keda-server.ts";
import type { OnRefused } from "./refusals.ts";

const DEFAULT_WORKER = new URL("./keda-worker.js", import.meta.url);
/** What is answered of a pipeline has some hundred bytes. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };
/** After the time that its calls have to end. */
const ENDS_WITHIN_MS = 1000;

export interface KedaThreadOptions extends CallContext, Omit<KedaFeedOptions, "onChange"> {
  readonly staleAfterMs: number;
  readonly onRefused: OnRefused;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Null: plaintext. */
  readonly tls: TlsFolder | null;
  /** The script of the thread. */
  readonly workerUrl?: URL;
}

/**
 * Answers KEDA on a port, in a thread that does nothing else: it is told what changes in this one, and answers from what it was told last until that
 * is stale. Without it a scaler is of no use: what ends it by itself ends the process.
 */
export class KedaThread implements KedaServer {
  readonly #options: KedaThreadOptions;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #port = 0;
  #openStreams = 0;
  #heardAtMs = performance.now();
  /** It may end now. */
  #isClosing = false;
  #onStarted: (error: Error | null) => void = () => undefined;

  private constructor(options: KedaThreadOptions) {
    this.#options = options;
    const { host, port, tls, staleAfterMs, catalogue, boards, workerUrl = DEFAULT_WORKER } = options;
    const feed = new KedaFeed({
      catalogue,
      boards,
      onChange: () => setImmediate(() => this.#send({ kind: "known", known: feed.take() })),
    });
    const context = tls?.material.context ?? null;
    const workerData: KedaThreadStart = { host, port, tls: context, staleAfterMs, known: feed.take() };
    this.#worker = new Worker(workerUrl, { workerData, resourceLimits: RESOURCE_LIMITS, execArgv: [] });
    this.#worker.once("online", keepHeapSmallStill);
    this.#worker.on("message", (message: FromKedaThread) => this.#receive(message));
    this.#worker.on("error", error => this.#lose(error));
    this.#ended = new Promise(resolve => {
      this.#worker.on("exit", code => {
        resolve();
        if (!this.#isClosing) this.#lose(new Error(`the thread that answers KEDA has ended, with code ${code}`));
      });
    });
    if (tls) this.#follow(tls);
  }

  /** Throws failed_precondition for a port that is taken. */
  static async start(options: KedaThreadOptions): Promise<KedaThread> {
    const thread = new KedaThread(options);
    await new Promise<void>((resolve, reject) => {
      thread.#onStarted = error => (error ? reject(error) : resolve());
    });
    return thread;
  }

  get port(): number {
    return this.#port;
  }

  get openStreams(): number {
    return this.#openStreams;
  }

  get silentMs(): number {
    return performance.now() - this.#heardAtMs;
  }

  setServing(serving: boolean): void {
    this.#send({ kind: "serving", serving });
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#send({ kind: "close", graceMs });
    const timer = setTimeout(() => void this.#worker.terminate(), graceMs + ENDS_WITHIN_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #send(message: ToKedaThread): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromKedaThread): void {
    const { observe, onRefused, logger } = this.#options;
    this.#heardAtMs = performance.now();
    switch (message.kind) {
      case "listening":
        this.#port = message.port;
        this.#start(null);
        break;
      case "failed":
        this.#isClosing = true;
        this.#start(new VariscaleError(message.code, message.message));
        break;
      case "report":
        this.#openStreams = message.openStreams;
        for (const call of message.calls) observe(...call);
        break;
      case "refused":
        onRefused(message.scaledObject, message.refusal);
        break;
      case "log":
        logger[message.level](message.fields, message.message);
        break;
    }
  }

  #start(error: Error | null): void {
    const onStarted = this.#onStarted;
    this.#onStarted = lost => {
      if (lost) throw lost;
    };
    onStarted(error);
  }

  #lose(error: Error): void {
    this.#isClosing = true;
    this.#start(error);
  }

  #follow(tls: TlsFolder): void {
    let { material } = tls;
    tls.watch(() => {
      if (tls.material === material) return;
      ({ material } = tls);
      this.#send({ kind: "certificates", tls: material.context });
    });
  }
}
