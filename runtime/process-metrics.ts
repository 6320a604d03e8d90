import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Route } from "./http-server.ts";
import { lostLogLines } from "./logger.ts";

/** A registry with the metrics that every process has. */
export function createRegistry(processName: string, version: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: "variscale_build_info",
    help: "Always 1; the labels say what is running",
    labelNames: ["process", "version", "node"],
    registers: [registry],
  });
  build.set({ process: processName, version, node: process.version }, 1);
  new Counter({
    name: "variscale_log_lines_lost_total",
    help: "Lines of the process's log that were lost: nobody read it, or there was no room for it",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(lostLogLines());
    },
  });
  return registry;
}

export function metricsRoute(registry: Registry): Route {
  return {
    method: "GET",
    path: "/metrics",
    isShared: true,
    handle: async () => ({
      status: 200,
      headers: { "content-type": registry.contentType },
      body: await registry.metrics(),
    }),
  };
}
