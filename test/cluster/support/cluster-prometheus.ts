import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS } from "./addresses.ts";
import type { Cluster } from "./cluster.ts";
import { Program } from "./program.ts";

export const PROMETHEUS_URL = `http://${ADDRESS.prometheus}:9090`;
const CONFIG = (targets: readonly string[]) => `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - {job_name: gateways, honor_labels: true, static_configs: [{targets: ${JSON.stringify(targets)}}]}
`;

/**
 * A real Prometheus of the cluster. It scrapes these targets (host:port), found by
 * the cluster's names, and is ready when this is done. Debian's build has no discovery by Kubernetes.
 */
export async function startClusterPrometheus(cluster: Cluster, targets: readonly string[]): Promise<Program> {
  const folder = join(cluster.folder, "prometheus");
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "prometheus.yml");
  writeFileSync(config, CONFIG(targets));
  const prometheus = new Program({
    name: "prometheus",
    command: join(cluster.tools.prometheus, "usr/bin/prometheus"),
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${ADDRESS.prometheus}:9090`,
    ],
    logFile: join(cluster.folder, "log", "prometheus"),
  });
  prometheus.start();
  try {
    await prometheus.until(isReady, "ready");
  } catch (error) {
    await prometheus.stop();
    throw error;
  }
  return prometheus;
}

async function isReady(): Promise<boolean> {
  const answer = await fetch(`${PROMETHEUS_URL}/-/ready`).catch(() => null);
  return answer?.status === 200;
}
