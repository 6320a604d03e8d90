/**
 * The least that a Node server can do for a model: HTTP, a session in a worker thread, batches of what is there. No checks, no metrics, no
 * deadlines, no second variant: what the switcher is measured against. Arguments: the model's file and the largest batch.
 */
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";

const ROW_BYTES = 240 * 192;

/** Is sent to the parent process when it listens. */
export interface PortMessage {
  readonly port: number;
}

interface Waiting {
  readonly row: Uint8Array;
  readonly response: ServerResponse;
}

function serve(): void {
  const [, , path = "", maxBatch = "8"] = process.argv;
  const worker = new Worker(new URL(import.meta.url), { workerData: { path } });
  const waiting: Waiting[] = [];
  let running: readonly Waiting[] = [];
  const pump = (): void => {
    if (running.length > 0 || waiting.length === 0) return;
    running = waiting.splice(0, Number(maxBatch));
    const batch = new Uint8Array(running.length * ROW_BYTES);
    for (const [i, { row }] of running.entries()) batch.set(row, i * ROW_BYTES);
    worker.postMessage(batch, [batch.buffer]);
  };
  const server = createServer({ noDelay: true }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      waiting.push({ row: Buffer.concat(chunks).subarray(-ROW_BYTES), response });
      pump();
    });
  });
  worker.on("message", (scores: Float32Array | "ready") => {
    if (scores === "ready") {
      server.listen(0, "127.0.0.1", () =>
        process.send?.({ port: (server.address() as AddressInfo).port } satisfies PortMessage),
      );
      return;
    }
    for (const [i, { response }] of running.entries())
      response.end(`{"model_version":"","outputs":[{"data":[${scores[2 * i]}]}]}`);
    running = [];
    pump();
  });
  process.on("SIGTERM", () => process.exit(0));
}

async function work(): Promise<void> {
  const session = await InferenceSession.create(readFileSync((workerData as { path: string }).path), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    logSeverityLevel: 3,
  });
  parentPort?.on("message", (batch: Uint8Array) => {
    const image = new Tensor("uint8", batch, [batch.length / ROW_BYTES, 240, 192]);
    session.run({ image }).then(
      ({ score }) => parentPort?.postMessage(score?.data),
      () => process.exit(1),
    );
  });
  parentPort?.postMessage("ready");
}

if (isMainThread) serve();
else await work();
