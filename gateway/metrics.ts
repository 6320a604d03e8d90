import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import type { ServedRows } from "./answer.ts";
import { DROP_REASONS, type Outcome } from "./outcome.ts";
import type { PipelineServerParts } from "./pipeline-server.ts";
import { countRows, findShares } from "./rows-by-variant.ts";
import type { StageTrace } from "./run-pipeline.ts";

/** Replicas of one stage that have a series of their own; the others are summed up under `other`. */
const MAX_ENDPOINT_SERIES = 50;
/** Combinations of variants that have series of their own, in characters of their names; the others are summed up under `other`. */
const MOST_CHARACTERS = 8192;
const SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10];

/** What has no reason; every series is there from the first scrape on, at 0, so that a rise from nothing is one. */
const OUTCOMES = ["served", "lost", "failed", "invalid", "cancelled"] as const satisfies readonly Outcome["kind"][];

/** Counts an answer: the assertions that do not hold of it, and what served it. */
type Asserted = (broken: readonly string[], served: ServedRows) => void;

export interface GatewayMetrics {
  ended(outcome: Outcome, latencyMs: number): void;
  stage(trace: StageTrace): void;
  retried(stage: string, cause: string): void;
  /** A voter of a stage did not count in a request. */
  missed(stage: string, variant: string, cause: string): void;
  readonly asserted: Asserted;
  /** An answer was held against those before it in its sequence. */
  readonly followed: Asserted;
}

type Observed = Pick<PipelineServerParts, "pipeline" | "code" | "pools" | "admission" | "counter" | "accuracy">;

export function createGatewayMetrics(registry: Registry, observed: Observed): GatewayMetrics {
  const { pipeline, code } = observed;
  const make = createMakers(registry);
  const { counter, histogram } = make;
  addReadCounters(make, observed);
  addReadGauges(make, observed);
  const late = counter("late_requests_total", "Requests that were served, but not within the SLO's latency");
  const followedHelp = "Answers that were held against those before them in their sequence";
  const followed = counter("sequence_requests_total", followedHelp);
  const endsHelp = "Requests by how they ended; reason says why one was dropped";
  const requests = counter("requests_total", endsHelp, ["outcome", "reason"]);
  for (const outcome of OUTCOMES) requests.inc({ outcome, reason: "" }, 0);
  for (const reason of DROP_REASONS) requests.inc({ outcome: "dropped", reason }, 0);
  const requestHelp = "From the whole request to its answer, by how it ended";
  const requestSeconds = histogram("request_seconds", requestHelp, ["outcome"]);
  const stageHelp = "One stage of one request: its code, its queues and its inference";
  const stageSeconds = histogram("stage_seconds", stageHelp, ["stage"]);
  const rowsIn = counter(
    "stage_upstream_rows_total",
    "Rows of the upstream stage that reached this stage, by the variant that served them",
    ["stage", "upstream_variant"],
  );
  const rowsOut = counter(
    "stage_rows_total",
    "Rows of this stage, by the upstream variants' shares of a request; divided by the upstream rows this is the fan-out",
    ["stage", "upstream_variant"],
  );
  const retriesHelp = "Calls sent to a second replica, by what was wrong with the first";
  const retries = counter("retries_total", retriesHelp, ["stage", "cause"]);
  const missingHelp = "Requests in which a voter of a stage did not count, by its variant and why";
  const missing = counter("missing_votes_total", missingHelp, ["stage", "variant", "cause"]);
  const countHeld = countAssertions(make, pipeline);
  const countBrokenInSequence = countHeld(Object.keys(code.sequences?.assertions ?? {}));
  return {
    ended: (outcome, latencyMs) => {
      requests.inc({ outcome: outcome.kind, reason: outcome.kind === "dropped" ? outcome.reason : "" });
      requestSeconds.observe({ outcome: outcome.kind }, latencyMs / 1000);
      if (outcome.kind === "served" && latencyMs > pipeline.slo.latencyMs) late.inc();
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
    asserted: countHeld(Object.keys(code.assertions ?? {})),
    followed: (broken, served) => {
      followed.inc();
      countBrokenInSequence(broken, served);
    },
  };
}

type Makers = ReturnType<typeof createMakers>;

/** Tells the values of a metric, when somebody asks for them. */
type Read = (tell: (labels: Readonly<Record<string, string>>, value: number) => void) => void;

/** Functions that make metrics of one registry, whose names all begin alike. */
function createMakers(registry: Registry) {
  const describe = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) => ({
    name: `variscale_gateway_${name}`,
    help,
    labelNames,
    registers: [registry],
  });
  return {
    counter: <T extends string>(name: string, help: string, labelNames?: readonly T[]): Counter<T> =>
      new Counter(describe(name, help, labelNames)),
    histogram: <T extends string>(name: string, help: string, labelNames?: readonly T[]): Histogram<T> =>
      new Histogram({ ...describe(name, help, labelNames), buckets: SECONDS_BUCKETS }),
    addCounter: (name: string, help: string, labelNames: readonly string[], read: Read): void => {
      const made: Counter = new Counter({ ...describe(name, help, labelNames), collect: () => readAll(made, read) });
    },
    addGauge: (name: string, help: string, labelNames: readonly string[], read: Read): void => {
      const made: Gauge = new Gauge({ ...describe(name, help, labelNames), collect: () => readAll(made, read) });
    },
  };
}

function readAll(made: Pick<Counter, "reset" | "inc">, read: Read): void {
  made.reset();
  read((labels, value) => made.inc(labels, value));
}

/** The load itself, and accuracy without labels: what is estimated right over what is estimated. */
function addReadCounters({ addCounter }: Makers, { pipeline: { key }, counter, accuracy }: Observed): void {
  addCounter("offered_requests_total", "Requests that arrived, rejections included", ["namespace", "pipeline"], tell =>
    tell({ namespace: key.namespace, pipeline: key.name }, counter.offered),
  );
  const addEstimate = (name: string, help: string, read: (estimate: AccuracyEstimate) => number): void =>
    addCounter(name, help, ["variants"], tell => {
      for (const estimate of accuracy.report())
        tell({ variants: Object.values(estimate.variants).join(",") }, read(estimate));
    });
  addEstimate(
    "estimated_requests_total",
    "Answers whose accuracy was estimated, by their variants; one of several variants counts by their shares of the rows",
    one => one.requests,
  );
  addEstimate("estimated_right_total", "How many of them are right by what they show of themselves", one => one.right);
  addEstimate("labelled_requests_total", "How many of them somebody labelled", one => one.labels);
}

/** Counts answers that are held against assertions by their names, each there from the first scrape on, at 0; and what served those that break one. */
function countAssertions({ counter }: Makers, { stages }: Pipeline): (names: readonly string[]) => Asserted {
  const held = counter(
    "assertions_total",
    "Answers that an assertion of the pipeline's code was held against: what its failures are a share of",
    ["assertion"],
  );
  const failures = counter(
    "assertion_failures_total",
    "Answers of which an assertion of the pipeline's code does not hold; over variscale_gateway_assertions_total this is the share",
    ["assertion"],
  );
  const byVariants = counter(
    "assertion_failures_by_variants_total",
    "The same failures by what served the answers: the variant of most rows of each stage, in the stages' order; - where a stage had no rows",
    ["assertion", "variants"],
  );
  const nameMainVariants = createNamer(stages);
  return names => {
    for (const each of [held, failures]) for (const assertion of names) each.inc({ assertion }, 0);
    return (broken, served) => {
      for (const assertion of names) held.inc({ assertion });
      if (broken.length === 0) return;
      const variants = nameMainVariants(served);
      for (const assertion of broken) {
        failures.inc({ assertion });
        byVariants.inc({ assertion, variants });
      }
    };
  };
}

/** Names the main variants of an answer, as `heavy,light`. Replicas say what their variants are called, so there is an end to it. */
function createNamer(stages: readonly Pick<Stage, "name">[]): (served: ServedRows) => string {
  const known = new Set<string>();
  let characters = 0;
  return served => {
    // A stage may be called as what every object has, like `constructor`.
    const rows = stages.map(({ name }) => (Object.hasOwn(served, name) ? served[name] : undefined) ?? new Map());
    const name = rows.map(byVariant => findShares(byVariant)[0]?.variant ?? "-").join();
    if (known.has(name)) return name;
    if (characters + name.length > MOST_CHARACTERS) return "other";
    characters += name.length;
    known.add(name);
    return name;
  };
}

function addReadGauges({ addGauge }: Makers, { pipeline: { slo }, pools, counter, admission }: Observed): void {
  const add = (name: string, help: string, read: () => number): void =>
    addGauge(name, help, [], tell => tell({}, read()));
  add(
    "slo_latency_seconds",
    "The SLO of the pipeline: what a request may take, end to end",
    () => slo.latencyMs / 1000,
  );
  add(
    "slo_quantile_ratio",
    "The SLO of the pipeline: the share of requests that must be within its latency",
    () => slo.quantile,
  );
  add("in_flight_requests", "Requests that have no answer yet", () => counter.inFlight);
  add("queued_requests", "Requests that wait in the gateway for their turn", () => admission.queued);
  const endpointsHelp = "Replicas, by whether they are called or left out after connection errors";
  addGauge("endpoints", endpointsHelp, ["stage", "state"], tell => {
    for (const [stage, { openCount, replicas }] of pools) {
      tell({ stage, state: "open" }, openCount);
      tell({ stage, state: "left_out" }, replicas.length - openCount);
    }
  });
  const outstandingHelp = "Rows that this gateway sent to a replica and that it has not answered yet";
  addGauge("endpoint_outstanding_rows", outstandingHelp, ["stage", "endpoint"], tell => {
    for (const [stage, { replicas }] of pools)
      for (const [i, { address, sentRows }] of replicas.entries())
        tell({ stage, endpoint: i < MAX_ENDPOINT_SERIES ? address : "other" }, sentRows);
  });
}
