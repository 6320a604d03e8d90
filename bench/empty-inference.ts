/**
 * A gRPC server of the Open Inference Protocol that knows one answer and has no model: what a call takes on grpc-js' server alone, and in the client.
 * Arguments: the answer's version and score.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../proto/generated/open_inference.ts";
import { loadProto } from "../runtime/grpc.ts";
import type { PortMessage } from "./featureless-server.ts";

const [modelVersion = "", score = ""] = process.argv.slice(2);
const scores = Float32Array.of(Number(score), 0);
const answer = {
  modelName: "image",
  modelVersion,
  parameters: {
    variant: { stringParam: modelVersion },
    why: { stringParam: "top" },
    queued_rows: { int64Param: 0 },
    row_ms: { doubleParam: 1 },
  },
  outputs: [{ name: "score", datatype: "FP32", shape: [1, scores.length] }],
  rawOutputContents: [Buffer.from(scores.buffer)],
};

const { GRPCInferenceService } = loadProto<ProtoGrpcType>("open_inference.proto").inference;
const server = new Server();
server.addService(GRPCInferenceService.service, {
  ModelInfer: (_call: unknown, callback: (error: null, value: object) => void) => callback(null, answer),
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.({ port } satisfies PortMessage);
});
process.on("SIGTERM", () => process.exit(0));
