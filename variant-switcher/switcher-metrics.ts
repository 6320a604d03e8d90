import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { WorkObserver } from "./counters.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface MetricSources {
  readonly stage: string;
  readonly variants: readonly string[];
  readonly queuedRows: () => number;
  readonly queueAgeMs: () => number;
  readonly servedVariant: () => string | null;
  readonly residentVariants: () => readonly string[];
  readonly isProtecting: () => boolean;
}

export interface SwitcherMetrics extends WorkObserver {
  switched(outcome: string, switchMs: number): void;
}

/** The switcher's own metrics. Labels are the pipeline file's variants and closed sets, so there is a bounded number of them. */
export function createSwitcherMetrics(registry: Registry, sources: MetricSources): SwitcherMetrics {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name: `variscale_switcher_${name}`, help, labelNames: ["stage", ...labelNames], registers });
  const histogram = (name: string, help: string, label: string, buckets: number[]) =>
    new Histogram({ name: `variscale_switcher_${name}`, help, labelNames: ["stage", label], buckets, registers });
  const { stage } = sources;
  const offered = counter("offered_rows_total", "Rows that clients asked for", []);
  const served = counter("served_rows_total", "Rows that were served", []);
  const dropped = counter("dropped_rows_total", "Rows that were not served, by reason", ["reason"]);
  const requests = counter("requests_total", "Requests by outcome", ["outcome"]);
  const batchRows = histogram("batch_rows", "Rows in a batch", "variant", ROWS);
  const service = histogram("service_seconds", "Time in which the model ran a batch", "variant", SECONDS);
  const waited = histogram("queue_seconds", "Time that a batch's oldest row was queued", "variant", SECONDS);
  const switches = histogram("switch_seconds", "Duration of a Switch by outcome", "outcome", SECONDS);
  addGauges(registry, sources);
  return {
    offered: rows => offered.inc({ stage }, rows),
    served: ({ rows }) => {
      served.inc({ stage }, rows);
      requests.inc({ stage, outcome: "served" });
    },
    dropped: ({ rows, reason }) => {
      dropped.inc({ stage, reason }, rows);
      requests.inc({ stage, outcome: reason });
    },
    ran: ({ variant, rows, serviceMs, waitedMs }) => {
      batchRows.observe({ stage, variant }, rows);
      service.observe({ stage, variant }, serviceMs / 1000);
      waited.observe({ stage, variant }, waitedMs / 1000);
    },
    switched: (outcome, switchMs) => switches.observe({ stage, outcome }, switchMs / 1000),
  };
}

/** Read when the metrics are asked for. */
function addGauges(registry: Registry, sources: MetricSources): void {
  const { stage } = sources;
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({
      name: `variscale_switcher_${name}`,
      help,
      labelNames: ["stage"],
      registers: [registry],
      collect: () => made.set({ stage }, read()),
    });
  };
  gauge("queue_rows", "Rows that wait", sources.queuedRows);
  gauge("queue_age_seconds", "Age of the oldest row that waits", () => sources.queueAgeMs() / 1000);
  gauge("resident_sessions", "Sessions in memory", () => sources.residentVariants().length);
  gauge("protecting", "1 while it serves its fallback by its own overload rule", () => Number(sources.isProtecting()));
  const info: Gauge = new Gauge({
    name: "variscale_switcher_variant_info",
    help: "1 for the variant that is served",
    labelNames: ["stage", "variant"],
    registers: [registry],
    collect: () => {
      for (const variant of sources.variants) info.set({ stage, variant }, Number(sources.servedVariant() === variant));
    },
  });
}
