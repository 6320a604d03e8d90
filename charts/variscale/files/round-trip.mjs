// The chart's test: asks the scaler as KEDA does, for every stage. Runs in the image.
//   node round-trip.mjs HOST:PORT NAMESPACE PIPELINE/STAGE…
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";

const DEADLINE_MS = 30_000;
const [address, namespace, ...stages] = process.argv.slice(2);
const proto = process.env.VARISCALE_PROTO ?? "/app/dist/proto/externalscaler.proto";
const options = { longs: Number, defaults: true, enums: String };
const { externalscaler } = loadPackageDefinition(loadSync(proto, options));
const { grpc } = loadPackageDefinition(loadSync(protoPath, options));

const folder = process.env.VARISCALE_TLS_FOLDER;
const security = folder
  ? credentials.createSsl(...["ca.crt", "tls.key", "tls.crt"].map(name => readFileSync(join(folder, name))))
  : credentials.createInsecure();
const health = new grpc.health.v1.Health(address, security);
const scaler = new externalscaler.ExternalScaler(address, security);
const call = (client, method, request) =>
  new Promise((resolve, reject) => {
    const deadline = Date.now() + DEADLINE_MS;
    client[method](request, { deadline, waitForReady: true }, (error, answer) =>
      error ? reject(new Error(`${method}: ${error.message}`)) : resolve(answer),
    );
  });

/** Before the first plan there is no value, which is no failure. */
async function replicasOf(ref, metricName) {
  try {
    const { metricValues } = await call(scaler, "GetMetrics", { scaledObjectRef: ref, metricName });
    if (metricValues.length !== 1) throw new Error(`GetMetrics: ${metricValues.length} values instead of one`);
    return `${metricValues[0].metricValueFloat} replicas`;
  } catch (error) {
    if (/UNAVAILABLE/.test(error.message)) return "no plan yet";
    throw error;
  }
}

try {
  const { status } = await call(health, "Check", { service: "externalscaler.ExternalScaler" });
  if (status !== "SERVING") throw new Error(`health: ${status}`);
  for (const path of stages) {
    const [pipeline, stage] = path.split("/");
    const ref = { name: "helm-test", namespace, scalerMetadata: { scalerAddress: address, pipeline, stage } };
    const { metricSpecs } = await call(scaler, "GetMetricSpec", ref);
    if (metricSpecs.length !== 1) throw new Error(`GetMetricSpec: ${metricSpecs.length} metrics instead of one`);
    console.log(`${path}: ${metricSpecs[0].metricName}, ${await replicasOf(ref, metricSpecs[0].metricName)}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  health.close();
  scaler.close();
}
