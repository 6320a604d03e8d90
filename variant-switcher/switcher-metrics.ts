import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type AccuracySignals, ASSERTIONS, CONFIDENCE_BOUNDS, type VariantSignals } from "./accuracy-signals.ts";
import type { Counters, RanBatch } from "./counters.ts";
import type { SwitchRecord } from "./switching/switch-history.ts";

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MIB = 1024 * 1024;
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface MetricSources {
  readonly stage: string;
  readonly variants: readonly string[];
  readonly counters: Counters;
  readonly signals: AccuracySignals | null;
  /** Bytes of the budget that are held. */
  readonly requestBytes: () => number;
  readonly queuedRows: () => number;
  readonly queueAgeMs: () => number;
  readonly servedVariant: () => string | null;
  readonly residentVariants: () => readonly string[];
  /** What the variant's session holds; 0: it has none. */
  readonly memoryMiB: (variant: string) => number;
  /** Most rows in a batch of what serves; 0: nothing serves. */
  readonly assignedBatch: () => number;
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
  const { stage } = sources;
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
  addCounters(registry, sources);
  addGauges(registry, sources);
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

/** Sets a counter's values anew. */
type Tell = (labels: Readonly<Record<string, string>>, value: number) => void;

function addCounters(registry: Registry, { stage, variants, counters, signals }: MetricSources): void {
  const counter = (name: string, help: string, labelNames: readonly string[], read: (tell: Tell) => void): void => {
    const made: Counter = new Counter({
      name: `variscale_switcher_${name}`,
      help,
      labelNames: ["stage", ...labelNames],
      registers: [registry],
      collect: () => {
        made.reset();
        read((labels, value) => made.inc({ stage, ...labels }, value));
      },
    });
  };
  counter("offered_rows_total", "Rows that clients asked for", [], tell => tell({}, counters.offeredRows));
  counter("served_rows_total", "Rows that were served", [], tell => tell({}, counters.servedRows));
  counter("dropped_rows_total", "Rows that were not served, by reason", ["reason"], tell => {
    for (const { reason, rows } of counters.dropsByReason()) tell({ reason }, rows);
  });
  counter("sessions_lost_total", "Sessions whose thread crashed or hung", ["variant"], tell => {
    for (const variant of variants) tell({ variant }, counters.lostSessions().get(variant) ?? 0);
  });
  counter(
    "shadow_rows_total",
    "Rows that the ladder would have had the variant serve, in shadow",
    ["variant"],
    tell => {
      for (const variant of variants) tell({ variant }, counters.shadowRows().get(variant) ?? 0);
    },
  );
  if (signals) {
    const ofAll = (tell: (variant: string, signals: VariantSignals) => void): void => {
      for (const variant of variants) tell(variant, signals.of(variant));
    };
    counter("atc_rows_total", "Rows held against the variant's threshold of confidence", ["variant", "above"], tell =>
      ofAll((variant, { above, held }) => {
        tell({ variant, above: "true" }, above);
        tell({ variant, above: "false" }, held - above);
      }),
    );
    counter("assertion_failures_total", "Rows that failed an assertion", ["variant", "assertion"], tell =>
      ofAll((variant, { failed }) => {
        for (const assertion of ASSERTIONS) tell({ variant, assertion }, failed[assertion]);
      }),
    );
  }
  counter("requests_total", "Requests by outcome", ["outcome"], tell => {
    tell({ outcome: "served" }, counters.servedRequests);
    for (const { reason, requests } of counters.dropsByReason()) tell({ outcome: reason }, requests);
  });
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
  gauge(
    "request_bytes",
    "Bytes of requests that are read or worked on, and of answers on their way",
    sources.requestBytes,
  );
  gauge("queue_rows", "Rows that wait", sources.queuedRows);
  gauge("queue_age_seconds", "Age of the oldest row that waits", () => sources.queueAgeMs() / 1000);
  gauge("resident_sessions", "Sessions in memory", () => sources.residentVariants().length);
  gauge("assigned_batch", "Most rows in a batch of what serves; 0: nothing serves", sources.assignedBatch);
  const ofVariants = (name: string, help: string, read: (variant: string) => number): void => {
    const made: Gauge = new Gauge({
      name: `variscale_switcher_${name}`,
      help,
      labelNames: ["stage", "variant"],
      registers: [registry],
      collect: () => {
        for (const variant of sources.variants) made.set({ stage, variant }, read(variant));
      },
    });
  };
  const { servedVariant, memoryMiB } = sources;
  ofVariants("variant_info", "1 for the most accurate variant that serves", variant =>
    Number(servedVariant() === variant),
  );
  ofVariants("session_memory_bytes", "What a variant's session holds", variant => memoryMiB(variant) * MIB);
}
