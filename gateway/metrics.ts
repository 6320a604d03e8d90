import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { Slo } from "../domain/pipeline-schema.ts";
import { DROP_REASONS, type Outcome } from "./outcome.ts";
import { countRows } from "./rows-by-variant.ts";
import type { StageTrace } from "./run-pipeline.ts";
import type { StagePool } from "./stage-pool.ts";

/** Replicas of one stage that have a series of their own; the others are summed up under `other`. */
const MAX_ENDPOINT_SERIES = 50;
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10];

/** What has no reason; every series is there from the first scrape on, at 0, so that a rise from nothing is one. */
const OUTCOMES = ["served", "lost", "failed", "invalid", "cancelled"] as const satisfies readonly Outcome["kind"][];

export interface GatewayMetrics {
  ended(outcome: Outcome, latencyMs: number): void;
  stage(trace: StageTrace): void;
  retried(stage: string, cause: string): void;
  /** A voter of a stage did not count in a request. */
  missed(stage: string, variant: string, cause: string): void;
  asserted(broken: readonly string[]): void;
  /** An answer was held against those before it in its sequence. */
  followed(broken: readonly string[]): void;
}

interface Observed {
  readonly key: PipelineKey;
  readonly slo: Slo;
  /** Names of the assertions of the pipeline's code, and of those over its sequences. */
  readonly assertions: readonly string[];
  readonly sequenceAssertions: readonly string[];
  readonly offered: () => number;
  readonly pools: Iterable<StagePool>;
  readonly inFlight: () => number;
  readonly queued: () => number;
  readonly estimates: () => readonly AccuracyEstimate[];
}

export function createGatewayMetrics(registry: Registry, observed: Observed): GatewayMetrics {
  registerGauges(registry, observed);
  registerOffered(registry, observed);
  registerEstimates(registry, observed);
  const late = registerSlo(registry, observed.slo);
  const heldAgainst = registerAssertions(registry);
  const brokenInSequence = heldAgainst(observed.sequenceAssertions);
  const registers = [registry];
  const followed = new Counter({
    name: "variscale_gateway_sequence_requests_total",
    help: "Answers that were held against those before them in their sequence",
    registers,
  });
  const requests = new Counter({
    name: "variscale_gateway_requests_total",
    help: "Requests by how they ended; reason says why one was dropped",
    labelNames: ["outcome", "reason"],
    registers,
  });
  for (const outcome of OUTCOMES) requests.inc({ outcome, reason: "" }, 0);
  for (const reason of DROP_REASONS) requests.inc({ outcome: "dropped", reason }, 0);
  const requestSeconds = new Histogram({
    name: "variscale_gateway_request_seconds",
    help: "From the whole request to its answer, by how it ended",
    labelNames: ["outcome"],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const stageSeconds = new Histogram({
    name: "variscale_gateway_stage_seconds",
    help: "One stage of one request: its code, its queues and its inference",
    labelNames: ["stage"],
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const labelNames = ["stage", "upstream_variant"];
  const rowsIn = new Counter({
    name: "variscale_gateway_stage_upstream_rows_total",
    help: "Rows of the upstream stage that reached this stage, by the variant that served them",
    labelNames,
    registers,
  });
  const rowsOut = new Counter({
    name: "variscale_gateway_stage_rows_total",
    help: "Rows of this stage, by the upstream variants' shares of a request; divided by the upstream rows this is the fan-out",
    labelNames,
    registers,
  });
  const retries = new Counter({
    name: "variscale_gateway_retries_total",
    help: "Calls sent to a second replica, by what was wrong with the first",
    labelNames: ["stage", "cause"],
    registers,
  });
  const missing = new Counter({
    name: "variscale_gateway_missing_votes_total",
    help: "Requests in which a voter of a stage did not count, by its variant and why",
    labelNames: ["stage", "variant", "cause"],
    registers,
  });
  return {
    ended: (outcome, latencyMs) => {
      requests.inc({ outcome: outcome.kind, reason: outcome.kind === "dropped" ? outcome.reason : "" });
      requestSeconds.observe({ outcome: outcome.kind }, latencyMs / 1000);
      if (outcome.kind === "served" && latencyMs > observed.slo.latencyMs) late.inc();
    },
    stage: ({ stage, rows, upstream, latencyMs }) => {
      const served = upstream?.size ? upstream : new Map([["", upstream ? 0 : 1]]);
      const all = countRows(served);
      for (const [variant, count] of served) {
        rowsIn.inc({ stage, upstream_variant: variant }, count);
        rowsOut.inc({ stage, upstream_variant: variant }, all === 0 ? rows : (rows * count) / all);
      }
      stageSeconds.observe({ stage }, latencyMs / 1000);
    },
    retried: (stage, cause) => retries.inc({ stage, cause }),
    missed: (stage, variant, cause) => missing.inc({ stage, variant, cause }),
    asserted: heldAgainst(observed.assertions),
    followed: broken => {
      followed.inc();
      brokenInSequence(broken);
    },
  };
}

/** What requests are held against, and those that were served and missed it. */
function registerSlo(registry: Registry, slo: Slo): Counter {
  const registers = [registry];
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name: `variscale_gateway_slo_${name}`, help, registers }).set(value);
  gauge("latency_seconds", "The SLO of the pipeline: what a request may take, end to end", slo.latencyMs / 1000);
  gauge(
    "quantile_ratio",
    "The SLO of the pipeline: the share of requests that must be within its latency",
    slo.quantile,
  );
  return new Counter({
    name: "variscale_gateway_late_requests_total",
    help: "Requests that were served, but not within the SLO's latency",
    registers,
  });
}

/** The load itself: from the first scrape on it is there, at 0, so that a rise from nothing is one. */
function registerOffered(registry: Registry, { key, offered }: Observed): void {
  new Counter({
    name: "variscale_gateway_offered_requests_total",
    help: "Requests that arrived, rejections included",
    labelNames: ["namespace", "pipeline"],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ namespace: key.namespace, pipeline: key.name }, offered());
    },
  });
}

/** Accuracy without labels: the second over the first. */
function registerEstimates(registry: Registry, { estimates }: Observed): void {
  const counter = (name: string, help: string, read: (estimate: AccuracyEstimate) => number): void => {
    new Counter({
      name: `variscale_gateway_${name}_total`,
      help,
      labelNames: ["variants"],
      registers: [registry],
      collect() {
        this.reset();
        for (const estimate of estimates())
          this.inc({ variants: Object.values(estimate.variants).join(",") }, read(estimate));
      },
    });
  };
  counter(
    "estimated_requests",
    "Answers whose accuracy was estimated, by their variants; one of several variants counts by their shares of the rows",
    one => one.requests,
  );
  counter("estimated_right", "How many of them are right by what they show of themselves", one => one.right);
  counter("labelled_requests", "How many of them somebody labelled", one => one.labels);
}

/** What counts an answer that was held against assertions of these names; each is there from the first scrape on, at 0. */
function registerAssertions(registry: Registry): (names: readonly string[]) => GatewayMetrics["asserted"] {
  const held = new Counter({
    name: "variscale_gateway_assertions_total",
    help: "Answers that an assertion of the pipeline's code was held against: what its failures are a share of",
    labelNames: ["assertion"],
    registers: [registry],
  });
  const failures = new Counter({
    name: "variscale_gateway_assertion_failures_total",
    help: "Answers of which an assertion of the pipeline's code does not hold; over variscale_gateway_assertions_total this is the share",
    labelNames: ["assertion"],
    registers: [registry],
  });
  return names => {
    for (const counter of [held, failures]) for (const assertion of names) counter.inc({ assertion }, 0);
    return broken => {
      for (const assertion of names) held.inc({ assertion });
      for (const assertion of broken) failures.inc({ assertion });
    };
  };
}

function registerGauges(registry: Registry, { pools, inFlight, queued }: Observed): void {
  const registers = [registry];
  new Gauge({
    name: "variscale_gateway_in_flight_requests",
    help: "Requests that have no answer yet",
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  new Gauge({
    name: "variscale_gateway_queued_requests",
    help: "Requests that wait in the gateway for their turn",
    registers,
    collect() {
      this.set(queued());
    },
  });
  new Gauge({
    name: "variscale_gateway_endpoints",
    help: "Replicas, by whether they are called or left out after connection errors",
    labelNames: ["stage", "state"],
    registers,
    collect() {
      for (const pool of pools) {
        this.set({ stage: pool.stage.name, state: "open" }, pool.openCount);
        this.set({ stage: pool.stage.name, state: "left_out" }, pool.replicas.length - pool.openCount);
      }
    },
  });
  new Gauge({
    name: "variscale_gateway_endpoint_outstanding_rows",
    help: "Rows that this gateway sent to a replica and that it has not answered yet",
    labelNames: ["stage", "endpoint"],
    registers,
    collect() {
      this.reset();
      for (const pool of pools) {
        pool.replicas.forEach((replica, i) => {
          const endpoint = i < MAX_ENDPOINT_SERIES ? replica.address : "other";
          this.inc({ stage: pool.stage.name, endpoint }, replica.sentRows);
        });
      }
    },
  });
}
