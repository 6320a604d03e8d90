import type { Metric, Registry } from "prom-client";

export interface HistogramDescription {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Upper bounds in ascending order; what is above the last one is counted too. */
  readonly buckets: readonly number[];
}

/** The values of one set of labels. */
export class Tally {
  readonly labels: Readonly<Record<string, string>>;
  readonly #bounds: readonly number[];
  /** One more than there are bounds. */
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = [...bounds, 0].fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** As Prometheus has them: each bucket with those before it. Nothing while nothing was observed. */
  values(name: string): readonly { readonly metricName: string; readonly labels: object; readonly value: number }[] {
    let count = 0;
    const buckets = this.#counts.map((inBucket, i) => {
      count += inBucket;
      const labels = { le: this.#bounds[i] ?? "+Inf", ...this.labels };
      return { metricName: `${name}_bucket`, labels, value: count };
    });
    if (count === 0) return [];
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: this.labels, value: this.#sum },
      { metricName: `${name}_count`, labels: this.labels, value: count },
    ];
  }
}

/**
 * A histogram that is observed for each batch: to observe a value in one of prom-client's takes two microseconds, most of them for its
 * labels. `labels`: of each tally.
 */
export function talliedHistogram(
  registry: Registry,
  { name, help, labelNames, buckets }: HistogramDescription,
  labels: readonly Readonly<Record<string, string>>[],
): readonly Tally[] {
  const tallies = labels.map(ofTally => new Tally(ofTally, buckets));
  const get = () => ({
    name,
    help,
    type: "histogram",
    values: tallies.flatMap(tally => tally.values(name)),
    aggregator: "sum",
  });
  // What the registry asks of a metric; prom-client's types only know its own.
  registry.registerMetric({
    name,
    help,
    labelNames,
    type: "histogram",
    get,
    reset: () => undefined,
  } as unknown as Metric);
  return tallies;
}
