import { Counter, Gauge, type Registry } from "prom-client";

export interface HaMetrics {
  readonly leaseLooks: Counter<"outcome">;
  readonly boardWrites: Counter<"outcome">;
  /** Shows what is true whenever someone asks. */
  show(facts: HaFacts): void;
}

export interface HaFacts {
  readonly isLeading: () => boolean;
  readonly transitions: () => number;
  readonly sinceVouchedMs: () => number;
}

/** Of a scaler that is one of several. */
export function createHaMetrics(registry: Registry): HaMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  };
  return {
    leaseLooks: new Counter({
      name: "variscale_lease_looks_total",
      help: "Tries to take or renew the Lease, or looks at another's, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    boardWrites: new Counter({
      name: "variscale_board_writes_total",
      help: "Writes of boards that followers and successors read, by outcome",
      labelNames: ["outcome"] as const,
      registers,
    }),
    show: ({ isLeading, transitions, sinceVouchedMs }) => {
      gauge("variscale_leader", "1: this scaler plans and assigns", () => (isLeading() ? 1 : 0));
      gauge("variscale_lease_transitions", "Times that the Lease's holder has changed", transitions);
      gauge(
        "variscale_leader_age_seconds",
        "Since the leader was last known to be alive, with nothing of it missing here; 0 at the leader",
        () => sinceVouchedMs() / 1000,
      );
    },
  };
}
