/** A gRPC server of KEDA's contract whose handlers answer with an empty message at once: the limit of any server on grpc-js. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../proto/generated/externalscaler.ts";
import { loadProto } from "../runtime/grpc.ts";
import { memoryMessage } from "./memory-message.ts";

/** What a measured server sends once it listens. */
export interface StartedMessage {
  readonly kind: "started";
  readonly ports: { readonly keda: number };
}

const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
const answerEmpty = (_call: unknown, callback: (error: null, value: object) => void): void => callback(null, {});
const refuse = (call: { end(): void }): void => call.end();
const server = new Server();
server.addService(ExternalScaler.service, {
  GetMetricSpec: answerEmpty,
  GetMetrics: answerEmpty,
  IsActive: answerEmpty,
  StreamIsActive: refuse,
  StreamMetricSpec: refuse,
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_error, port) => {
  const message: StartedMessage = { kind: "started", ports: { keda: port } };
  process.send?.(message);
});
process.on("message", () => process.send?.(memoryMessage()));
process.on("disconnect", () => process.exit(1));
