// What kubernetes.bench.ts measures, inside the namespaces of scripts/test-cluster.mjs. Arguments: the file for the results, and the parts.
import { writeFileSync } from "node:fs";
import { startCluster, type Tools } from "../test/cluster/support/cluster.ts";
import { measureMany } from "./kubernetes-many.ts";
import { KubernetesMeasurements } from "./kubernetes-measurements.ts";
import { measureReal } from "./kubernetes-real.ts";
import type { KubernetesPart } from "./kubernetes-results.ts";

const SCALED_OBJECTS = 500;
/** Each reads one latency of every ScaledObject: 12,000 in all. */
const SYNCS = 24;
/** In pods that run. */
const REAL_PARTS = ["step", "failover", "faults", "plain"] as const;

const [file = "", ...parts] = process.argv.slice(2);
const tools = JSON.parse(process.env["VARISCALE_CLUSTER_TOOLS"] ?? "") as Tools;
const cluster = await startCluster(tools, process.env["VARISCALE_CLUSTER_STATE"] ?? "");
const measurements = new KubernetesMeasurements(parts as KubernetesPart[]);
try {
  if (measurements.has(...REAL_PARTS))
    await measureReal(cluster, measurements).catch((error: unknown) => measurements.fail(error, ...REAL_PARTS));
  await measurements.measure("many", () => measureMany(cluster, SCALED_OBJECTS, SYNCS));
  writeFileSync(file, JSON.stringify(measurements.results));
} finally {
  await cluster.close();
}
process.exit(0);
