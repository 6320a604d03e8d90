import type { Logger } from "pino";
import type { ProtoGrpcType } from "../proto/generated/open_inference.ts";
import type { ByteBudget } from "../runtime/byte-budget.ts";
import { loadProto } from "../runtime/grpc.ts";
import { GrpcServer } from "../runtime/grpc-server.ts";
import type { DataPlane } from "./data-plane.ts";
import { grpcService } from "./grpc-service.ts";

/** How often `grpc.health.v1` is told whether the switcher is ready. */
const HEALTH_MS = 100;
const MAX_CALLS_OF_CONNECTION = 256;
/** Tensors of a request. Stages have a handful. */
const MAX_TENSORS = 64;
/** Larger tensors of texts or 64-bit integers come as raw contents. */
const MAX_OBJECTS = 262_144;

export interface InferenceServerOptions {
  readonly plane: DataPlane;
  readonly maxMessageBytes: number;
  readonly budget: ByteBudget;
  readonly logger: Logger;
}

/** The gRPC API of the Open Inference Protocol, on connections that are handed to it. */
export function createInferenceServer({ plane, maxMessageBytes, budget, logger }: InferenceServerOptions): GrpcServer {
  const { GRPCInferenceService } = loadProto<ProtoGrpcType>("open_inference.proto").inference;
  const server = new GrpcServer({
    protoFile: "open_inference.proto",
    serviceName: "inference.GRPCInferenceService",
    definition: GRPCInferenceService.service,
    handlers: grpcService(plane, logger),
    healthNames: [plane.stage],
    isReflected: true,
    budget,
    logger,
    maxMessageBytes,
    maxCallsOfConnection: MAX_CALLS_OF_CONNECTION,
    decodeLimits: {
      objects: MAX_OBJECTS,
      entries: { inputs: MAX_TENSORS, outputs: MAX_TENSORS, rawInputContents: MAX_TENSORS },
    },
    onNoRoom: (method, metadata, message) => {
      if (method === "ModelInfer") plane.refuseUnread(metadata.get("x-request-id")[0], message);
    },
  });
  server.followHealth(() => plane.isReady, HEALTH_MS);
  return server;
}
