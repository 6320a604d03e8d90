import { Worker } from "node:worker_threads";
import { VariscaleError } from "../domain/errors.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { KedaFeed } from "./keda-feed.ts";
import type { FromKedaThread, KedaThreadStart, ToKedaThread } from "./keda-messages.ts";
import type { KedaServer, KedaServerOptions } from "./keda-server.ts";
import { tellRefused } from "./refusals.ts";
import { received } from "./sendable-fields.ts";

const DEFAULT_WORKER = new URL("./keda-worker.js", import.meta.url);
/** What is answered of a pipeline has some hundred bytes. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 };
/** After the time that its calls have to end. */
const ENDS_WITHIN_MS = 1000;

export interface KedaThreadOptions extends Omit<KedaServerOptions, "clock" | "credentials"> {
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
  readonly #feed: KedaFeed;
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
    this.#feed = new KedaFeed({ catalogue, boards, onChange: () => setImmediate(() => this.#tellKnown()) });
    const context = tls?.material.context ?? null;
    const workerData: KedaThreadStart = { host, port, tls: context, staleAfterMs, known: this.#feed.take() };
    this.#worker = new Worker(workerUrl, { workerData, resourceLimits: RESOURCE_LIMITS, execArgv: [] });
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
    this.#send({ kind: "close", graceMs });
    this.#isClosing = true;
    const timer = setTimeout(() => {
      this.#options.logger.warn({ graceMs }, "the thread that answers KEDA does not end by itself");
      void this.#worker.terminate();
    }, graceMs + ENDS_WITHIN_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** What is known now is told before it. */
  #send(message: ToKedaThread): void {
    this.#tellKnown();
    this.#worker.postMessage(message);
  }

  #tellKnown(): void {
    if (this.#isClosing || this.#feed.isEmpty) return;
    this.#worker.postMessage({ kind: "known", known: this.#feed.take() } satisfies ToKedaThread);
  }

  #receive(message: FromKedaThread): void {
    const { observe, logger } = this.#options;
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
        tellRefused(this.#options, message.scaledObject, message.refusal);
        break;
      case "log":
        logger[message.level](received(message.fields), message.message);
        break;
    }
  }

  #start(error: Error | null): void {
    const onStarted = this.#onStarted;
    this.#onStarted = lost => {
      if (!lost) return;
      this.#options.logger.error({ err: lost }, "the thread that answers KEDA is lost: the scaler ends");
      throw lost;
    };
    onStarted(error);
  }

  #lose(error: Error): void {
    if (this.#isClosing) {
      this.#options.logger.warn({ err: error }, "the thread that answers KEDA failed while it ended");
      return;
    }
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
