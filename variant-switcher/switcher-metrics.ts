import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { CHOICE_REASONS } from "../domain/serving/choose-batch.ts";
import { type AccuracySignals, ASSERTIONS, CONFIDENCE_BOUNDS } from "./accuracy-signals.ts";
import type { SwitcherConfig } from "./config.ts";
import type { RanBatch } from "./counters.ts";
import type { RequestLimits } from "./request-limits.ts";
import type { StatusSources } from "./status.ts";
import type { SwitchRecord } from "./switching/switch-history.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MIB = 1024 * 1024;
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface MetricSources extends Pick<StatusSources, "batcher" | "counters" | "pool" | "switching"> {
  readonly config: Pick<SwitcherConfig, "stage" | "variants">;
  readonly limits: RequestLimits;
  /** It is null where answers are not looked at. */
  readonly signals: AccuracySignals | null;
}

export interface SwitcherMetrics {
  ran(batch: RanBatch): void;
  /** A row was answered with this confidence. */
  answered(variant: string, confidence: number): void;
  switched(ended: Pick<SwitchRecord, "outcome" | "switchMs" | "steps">): void;
}

/**
 * The switcher's own metrics. Labels are the pipeline file's variants and closed sets, so there is a bounded number of them. What counts
 * requests is read from `counters` when the metrics are asked for, so that it costs a request nothing.
 */
export function createSwitcherMetrics(registry: Registry, sources: MetricSources): SwitcherMetrics {
  const { stage } = sources.config;
  const registers = [registry];
  const histogram = (name: string, help: string, labels: readonly string[], buckets: number[]) => {
    const labelNames = ["stage", ...labels];
    return new Histogram({ name: `variscale_switcher_${name}`, help, labelNames, buckets, registers });
  };
  const batchRows = histogram("batch_rows", "Rows in a batch", ["variant"], ROWS);
  const service = histogram("service_seconds", "Time in which the model ran a batch", ["variant"], SECONDS);
  const wait = histogram("queue_seconds", "Time that a batch's oldest row was queued", ["variant"], SECONDS);
  const switches = histogram("switch_seconds", "Duration of a Switch by outcome", ["outcome"], SECONDS);
  const steps = histogram("switch_step_seconds", "Duration of a Switch's steps", ["step", "outcome"], SECONDS);
  const confidences = sources.signals
    ? histogram("confidence_rows", "Rows by confidence", ["variant"], [...CONFIDENCE_BOUNDS])
    : null;
  addReadMetrics(registry, sources);
  return {
    ran: ({ variant, rows, serviceMs, waitedMs }) => {
      const labels = { stage, variant };
      batchRows.observe(labels, rows);
      service.observe(labels, serviceMs / 1000);
      wait.observe(labels, waitedMs / 1000);
    },
    answered: (variant, confidence) => confidences?.observe({ stage, variant }, confidence),
    switched: ({ outcome, switchMs, steps: ended }) => {
      switches.observe({ stage, outcome }, switchMs / 1000);
      for (const [i, { step, ms }] of ended.entries())
        steps.observe({ stage, step, outcome: i === ended.length - 1 ? outcome : "done" }, ms / 1000);
    },
  };
}

type Tell = (labels: Readonly<Record<string, string>>, value: number) => void;

/** Adds the metrics that are read when they are asked for. */
function addReadMetrics(registry: Registry, sources: MetricSources): void {
  const { config, counters, signals, limits, batcher, pool, switching } = sources;
  const { stage } = config;
  const variants = config.variants.map(({ name }) => name);
  const add = (
    type: "counter" | "gauge",
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (tell: Tell) => void,
  ): void => {
    const configuration = {
      name: `variscale_switcher_${name}`,
      help,
      labelNames: ["stage", ...labelNames],
      registers: [registry],
      collect: () => {
        metric.reset();
        read((labels, value) => metric.inc({ stage, ...labels }, value));
      },
    };
    const metric: Counter | Gauge = type === "counter" ? new Counter(configuration) : new Gauge(configuration);
  };
  const addCounter = add.bind(null, "counter");
  const addGauge = add.bind(null, "gauge");
  const tellEach = (read: (variant: string) => number) => (tell: Tell) => {
    for (const variant of variants) tell({ variant }, read(variant));
  };
  addCounter("offered_rows_total", "Rows that clients asked for", [], tell => tell({}, counters.offeredRows));
  addCounter(
    "served_rows_total",
    "Rows that were served, by the variant that served them",
    ["variant"],
    tellEach(variant => counters.find(variant).servedRows),
  );
  addCounter("dropped_rows_total", "Rows that were not served, by reason", ["reason"], tell => {
    for (const { reason, rows } of counters.dropsByReason()) tell({ reason }, rows);
  });
  addCounter("requests_total", "Requests by outcome", ["outcome"], tell => {
    tell({ outcome: "served" }, counters.servedRequests);
    for (const { reason, requests } of counters.dropsByReason()) tell({ outcome: reason }, requests);
  });
  addCounter(
    "sessions_lost_total",
    "Sessions whose thread crashed or hung",
    ["variant"],
    tellEach(variant => counters.find(variant).lostSessions),
  );
  addCounter("batches_total", "Batches, by why no heavier variant ran them", ["variant", "why"], tell => {
    for (const variant of variants)
      for (const why of CHOICE_REASONS) tell({ variant, why }, counters.find(variant).batchesByReason.get(why) ?? 0);
  });
  addCounter(
    "shadow_rows_total",
    "Rows that the ladder would have had the variant serve, in shadow",
    ["variant"],
    tellEach(variant => counters.find(variant).shadowRows),
  );
  if (signals) {
    addCounter(
      "atc_rows_total",
      "Rows held against the variant's threshold of confidence",
      ["variant", "above"],
      tell => {
        for (const variant of variants) {
          const { above, held } = signals.of(variant);
          tell({ variant, above: "true" }, above);
          tell({ variant, above: "false" }, held - above);
        }
      },
    );
    addCounter("assertion_failures_total", "Rows that failed an assertion", ["variant", "assertion"], tell => {
      for (const variant of variants)
        for (const assertion of ASSERTIONS) tell({ variant, assertion }, signals.of(variant).failed[assertion]);
    });
  }
  addGauge("request_bytes", "Bytes of requests that are read or worked on, and of answers on their way", [], tell =>
    tell({}, limits.budget.usedBytes),
  );
  addGauge("queue_rows", "Rows that wait", [], tell => tell({}, batcher.queuedRows));
  addGauge("queue_age_seconds", "Age of the oldest row that waits", [], tell => tell({}, batcher.queueAgeMs() / 1000));
  addGauge("resident_sessions", "Sessions in memory", [], tell => tell({}, pool.residentVariants.length));
  addGauge("assigned_batch", "Most rows in a batch of what serves; 0: nothing serves", [], tell =>
    tell({}, batcher.serving?.batch ?? 0),
  );
  addGauge(
    "variant_info",
    "1 for the most accurate variant that serves",
    ["variant"],
    tellEach(variant => Number(switching.servedVariant === variant)),
  );
  addGauge(
    "session_memory_bytes",
    "What a variant's session holds",
    ["variant"],
    tellEach(variant => (pool.resident(variant)?.memoryMiB ?? 0) * MIB),
  );
}
