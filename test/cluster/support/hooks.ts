import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { RootHookObject } from "mocha";
import { type Cluster, startCluster, type Tools } from "./cluster.ts";

let running: Cluster | null = null;

/** The one cluster of all tests. */
export function theCluster(): Cluster {
  return running ?? assert.fail("no cluster runs: start these tests by `npm run test:cluster`");
}

export const mochaHooks: RootHookObject = {
  async beforeAll() {
    const folder = process.env["VARISCALE_CLUSTER_STATE"];
    const tools = process.env["VARISCALE_CLUSTER_TOOLS"];
    assert.ok(folder && tools, "start these tests by `npm run test:cluster`");
    const startMs = performance.now();
    running = await startCluster(JSON.parse(tools) as Tools, folder);
    process.stdout.write(`  cluster started in ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
  },
  async afterAll() {
    await running?.close();
    const keep = process.env["VARISCALE_CLUSTER_LOGS"];
    const logs = join(process.env["VARISCALE_CLUSTER_STATE"] ?? "", "log");
    if (keep) cpSync(logs, keep, { recursive: true });
  },
};
