/**
 * The thread that answers KEDA, from what the main thread tells it. Where many processes want the same cores, a thread that is busy with ticks
 * loses its core for some milliseconds, and whoever asks it waits for as long; one that does nothing else but answer gets a core at once.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ServerCredentials } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";
import { RenewedServerCredentials } from "../runtime/renewed-server-credentials.ts";
import { BoardStore } from "./board-store.ts";
import { systemClock } from "./clock.ts";
import type { CallLog } from "./grpc-call.ts";
import type { AnsweredBoard, AnsweredPipeline } from "./keda-answer.ts";
import type { AnsweredCall, FromKedaThread, KedaThreadStart, Known, ToKedaThread } from "./keda-messages.ts";
import { type KedaServer, startKedaServer } from "./keda-server.ts";
import { PipelineCatalogue } from "./pipeline-catalogue.ts";
import { sendable } from "./sendable-fields.ts";

const REPORT_EVERY_MS = 1000;

const { host, port, tls, staleAfterMs, known } = workerData as KedaThreadStart;
const certificates = tls && new RenewedServerCredentials(tls);
const logger: CallLog = {
  warn: (fields, message) => send({ kind: "log", level: "warn", fields: sendable(fields), message }),
  error: (fields, message) => send({ kind: "log", level: "error", fields: sendable(fields), message }),
};
const catalogue = new PipelineCatalogue<AnsweredPipeline>();
const boards = new BoardStore<AnsweredBoard>(error => logger.error({ err: error }, "a reader of boards failed"));
let calls: AnsweredCall[] = [];

function send(message: FromKedaThread): void {
  parentPort?.postMessage(message);
}

function learn({ pipelines, gone, boards: newer }: Known): void {
  for (const key of gone) {
    catalogue.remove(key);
    boards.forget(key);
  }
  for (const pipeline of pipelines) {
    catalogue.replace(pipeline);
    // Its newest comes with it, if it has one.
    boards.forget(pipeline.key);
  }
  for (const board of newer) boards.publish(board);
}

function receive(server: KedaServer, message: ToKedaThread): void {
  switch (message.kind) {
    case "known":
      learn(message.known);
      break;
    case "certificates":
      certificates?.renew(message.tls);
      break;
    case "serving":
      server.setServing(message.serving);
      break;
    case "close":
      void server.close(message.graceMs).finally(() => {
        report(server);
        process.exit();
      });
      break;
  }
}

function report({ openStreams }: KedaServer): void {
  send({ kind: "report", calls, openStreams });
  calls = [];
}

learn(known);
try {
  const server = await startKedaServer({
    host,
    port,
    credentials: certificates ?? ServerCredentials.createInsecure(),
    catalogue,
    boards,
    clock: systemClock,
    staleAfterMs,
    observe: (...call) => calls.push(call),
    onRefused: (scaledObject, refusal) => send({ kind: "refused", scaledObject, refusal }),
    logger,
  });
  send({ kind: "listening", port: server.port });
  setInterval(() => report(server), REPORT_EVERY_MS).unref();
  parentPort?.on("message", (message: ToKedaThread) => receive(server, message));
} catch (thrown) {
  const { code, message } = VariscaleError.from(thrown);
  send({ kind: "failed", code, message });
}
