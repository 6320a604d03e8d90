/**
 * The thread that trains: reads a pipeline's cells, trains, compares, and sends the model. It works for a share of the time and rests
 * for the rest of it, and says that it is alive in between.
 */
import { parentPort } from "node:worker_threads";
import { risingCells, unpackCells } from "../../predictor/cell-codec.ts";
import { type Backend, openBackend } from "../../predictor/network/backend.ts";
import { type ForecastModel, modelToJson, parseModel } from "../../predictor/network/network-model.ts";
import { OWN_MODEL } from "../../predictor/training/own-model-settings.ts";
import { trainModel } from "../../predictor/training/train-model.ts";
import { readArchive } from "../history-archive.ts";
import { readBundledModel } from "./bundled-model.ts";
import type { TrainingReply, TrainingRequest, TrainingResult } from "./training-messages.ts";
import { TrainingPace } from "./training-pace.ts";

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
  const pace = new TrainingPace(request.share, {
    nowMs: () => performance.now(),
    sleep: ms => new Promise(resolve => setTimeout(resolve, ms)),
    tellAlive: () => send({ kind: "alive" }),
  });
  const newest = [...unpackCells(request.cells)];
  const archived = request.archivePath === null ? [] : readArchive(request.archivePath, request.nowMs);
  const first = newest[0]?.index ?? Number.POSITIVE_INFINITY;
  const rivals: ForecastModel[] = [readBundledModel()];
  const current = request.current === null ? null : parseModel(request.current).model;
  if (current) rivals.push(current);
  const older = [...archived].filter(({ index }) => index < first);
  const trained = await trainModel(backend, [...risingCells([...older, ...newest])], {
    features: OWN_MODEL.features,
    horizonsSeconds: request.horizonsSeconds,
    seeds: request.seeds,
    ...(request.epochs !== null && { epochs: request.epochs }),
    rivals,
    onBatch: () => pace.rest(),
  });
  // What came after the last batch, and rows that were prepared for nothing, are in the budget too.
  await pace.rest();
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
