// What kubernetes.bench.ts measures, inside the namespaces of scripts/test-cluster.mjs. Arguments: the file for the results, and the parts.
import { writeFileSync } from "node:fs";
import { startCluster, type Tools } from "../test/cluster/support/cluster.ts";
import { measureMany } from "./kubernetes-many.ts";
import type { KubernetesResults } from "./kubernetes-results.ts";
import { measureReal } from "./kubernetes-step.ts";

const SCALED_OBJECTS = 500;
/** Each reads one latency of every ScaledObject: 12,000 in all. */
const SYNCS = 24;

const [file = "", ...parts] = process.argv.slice(2);
const tools = JSON.parse(process.env["VARISCALE_CLUSTER_TOOLS"] ?? "") as Tools;
const cluster = await startCluster(tools, process.env["VARISCALE_CLUSTER_STATE"] ?? "");
let results: KubernetesResults = {};
try {
  if (parts.some(part => part !== "many")) results = await measureReal(cluster, parts);
  if (parts.includes("many")) results = { ...results, many: await measureMany(cluster, SCALED_OBJECTS, SYNCS) };
  writeFileSync(file, JSON.stringify(results));
} finally {
  await cluster.close();
}
process.exit(0);
