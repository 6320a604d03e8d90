/**
 * A gRPC server of KEDA's contract that knows one answer: how long KEDA waits for any scaler on grpc-js beside the same processes.
 * Arguments: host and port.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../proto/generated/externalscaler.ts";
import { loadProto } from "../runtime/grpc.ts";

type Answer = (call: unknown, callback: (error: null, value: object) => void) => void;

const [host = "", port = ""] = process.argv.slice(2);
const METRIC = "replicas";
const specs = { metricSpecs: [{ metricName: METRIC, targetSizeFloat: 1 }] };
const answering = (value: object): Answer => {
  return (_call, callback) => callback(null, value);
};
/** Says it once and goes on listening, as scalers do. */
const saying = (value: object) => (call: { write(value: object): void }) => call.write(value);

const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
const server = new Server();
server.addService(ExternalScaler.service, {
  GetMetricSpec: answering(specs),
  GetMetrics: answering({ metricValues: [{ metricName: METRIC, metricValueFloat: 1 }] }),
  IsActive: answering({ result: true }),
  StreamIsActive: saying({ result: true }),
  StreamMetricSpec: saying(specs),
});
server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), error => {
  if (error) throw error;
  process.stdout.write("serving\n");
});
process.on("SIGTERM", () => process.exit(0));
