/** The thread that computes the networks of all pipelines' forecasts, model by model: many rows take little longer than one. */
import { parentPort } from "node:worker_threads";
import { type Backend, openBackend } from "../../predictor/network/backend.ts";
import { OpenModel } from "../../predictor/network/open-model.ts";
import type { NetworkBatch, NetworkReply, NetworkRequest } from "./network-messages.ts";

const port = parentPort;
const models = new Map<number, OpenModel>();
let opening: Promise<Backend> | null = null;

port?.on("message", (request: NetworkRequest) => {
  answer(request).then(send, (error: unknown) =>
    send({ kind: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});

function send(reply: NetworkReply): void {
  port?.postMessage(reply);
}

async function answer(request: NetworkRequest): Promise<NetworkReply> {
  opening ??= open();
  const backend = await opening;
  for (const { id, model } of request.models) models.set(id, new OpenModel(backend, model));
  for (const id of request.forgotten) {
    models.get(id)?.dispose();
    models.delete(id);
  }
  return { kind: "predicted", outputs: request.batches.map(predictBatch) };
}

/** A model that fails leaves the others their predictions. */
function predictBatch({ model, horizon, inputs }: NetworkBatch): Float32Array | string {
  try {
    const open = models.get(model);
    if (!open) throw new Error(`the model ${model} was not sent`);
    return open.predict(horizon, inputs);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function open(): Promise<Backend> {
  const refused: string[] = [];
  const backend = await openBackend(undefined, (name, reason) => refused.push(`${name}: ${reason}`));
  send({ kind: "opened", backend: backend.name, refused });
  return backend;
}
