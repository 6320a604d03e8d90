/**
 * The thread that trains: reads a pipeline's cells, trains, compares, and sends the model. It works for a share of the time and rests
 * for the rest of it, and says that it is alive in between.
 */
import { parentPort } from "node:worker_threads";
import { risingCells, unpackCells } from "../predictor/cell-codec.ts";
import { type ForecastModel, modelToJson, parseModel } from "../predictor/network-model.ts";
import { trainModel } from "../predictor/train-model.ts";
import { type Backend, openBackend } from "../predictor/train-network.ts";
import { readBundledModel } from "./bundled-model.ts";
import { readArchive } from "./history-archive.ts";
import type { TrainingReply, TrainingRequest, TrainingResult } from "./training-messages.ts";

/** Work in one go. */
const STINT_MS = 20;
const ALIVE_EVERY_MS = 5000;

const port = parentPort;
let opening: Promise<Backend> | null = null;
port?.on("message", (request: TrainingRequest) => {
  answer(request).then(send, (error: unknown) =>
    send({ kind: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});

function send(reply: TrainingReply): void {
  port?.postMessage(reply);
}

async function answer(request: TrainingRequest): Promise<TrainingResult> {
  opening ??= open();
  const backend = await opening;
  const pace = new Pace(request.share);
  const newest = [...unpackCells(request.cells)];
  const archived = request.archivePath === null ? [] : readArchive(request.archivePath, request.nowMs);
  const first = newest[0]?.index ?? Number.POSITIVE_INFINITY;
  const rivals: ForecastModel[] = [readBundledModel()];
  const current = request.current === null ? null : parseModel(request.current).model;
  if (current) rivals.push(current);
  const older = [...archived].filter(({ index }) => index < first);
  const trained = await trainModel(backend, [...risingCells([...older, ...newest])], {
    features: "seasonal",
    horizonsSeconds: request.horizonsSeconds,
    seeds: request.seeds,
    ...(request.epochs !== null && { epochs: request.epochs }),
    rivals,
    onBatch: () => pace.rest(),
  });
  if (trained === null) return { kind: "tooLittle" };
  return {
    kind: "trained",
    model: modelToJson(trained.model),
    horizons: trained.horizons,
    busyMs: Math.round(pace.busyMs),
  };
}

async function open(): Promise<Backend> {
  const refused: string[] = [];
  const backend = await openBackend(undefined, (name, reason) => refused.push(`${name}: ${reason}`));
  send({ kind: "opened", backend: backend.name, refused });
  return backend;
}

/** Keeps to a share of the time. */
class Pace {
  readonly #share: number;
  #sinceMs = performance.now();
  #aliveMs = performance.now();
  #busyMs = 0;

  constructor(share: number) {
    this.#share = share;
  }

  get busyMs(): number {
    return this.#busyMs + performance.now() - this.#sinceMs;
  }

  /** Null: it is not yet time to rest. */
  rest(): Promise<void> | null {
    const nowMs = performance.now();
    const stintMs = nowMs - this.#sinceMs;
    if (nowMs - this.#aliveMs > ALIVE_EVERY_MS) this.#tellAlive();
    if (stintMs < STINT_MS) return null;
    this.#busyMs += stintMs;
    return this.#sleep(stintMs * (1 / this.#share - 1));
  }

  async #sleep(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= ALIVE_EVERY_MS) {
      await new Promise(resolve => setTimeout(resolve, Math.min(leftMs, ALIVE_EVERY_MS)));
      if (leftMs > ALIVE_EVERY_MS) this.#tellAlive();
    }
    this.#sinceMs = performance.now();
  }

  #tellAlive(): void {
    this.#aliveMs = performance.now();
    send({ kind: "alive" });
  }
}
