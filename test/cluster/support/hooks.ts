import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context, RootHookObject } from "mocha";
import { type Cluster, startCluster, type Tools } from "./cluster.ts";

let running: Cluster | null = null;

/** The one cluster of all tests. */
export function theCluster(): Cluster {
  return running ?? assert.fail("no cluster runs: start these tests by `npm run test:cluster`");
}

function logFolder(): string {
  return join(process.env["VARISCALE_CLUSTER_STATE"] ?? "", "log");
}

/** Of a log that a failed test may be explained by: the last scaler's and KEDA's. */
const SHOWN_CHARACTERS = 12_000;

function showLogs(): void {
  const names = readdirSync(logFolder());
  const scalers = names.filter(name => /^scaler-\d+$/.test(name)).sort((a, b) => number(a) - number(b));
  for (const name of ["keda-operator", ...scalers.slice(-1)]) {
    const log = readFileSync(join(logFolder(), name), "utf8");
    process.stdout.write(`--- end of the log of ${name}\n${log.slice(-SHOWN_CHARACTERS)}\n---\n`);
  }
}

function number(scaler: string): number {
  return Number(scaler.slice("scaler-".length));
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
  afterEach(this: Context) {
    if (this.currentTest?.state === "failed") showLogs();
  },
  async afterAll() {
    await running?.close();
    const keep = process.env["VARISCALE_CLUSTER_LOGS"];
    if (keep) cpSync(logFolder(), keep, { recursive: true });
  },
};
