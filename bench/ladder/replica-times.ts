/** The batches that the replicas of a run ran, by the statistics that each switcher gives of its models. */
import type { SwitcherView } from "../../control/switcher-view.ts";

/** Batches since the replica started. */
export type ReplicaTimes = Pick<SwitcherView, "stage" | "pod" | "serviceTimes">;

type Address = Pick<SwitcherView, "stage" | "pod"> & { readonly address: string };

const TIMEOUT_MS = 900;

/** The newest statistics of all replicas that were there at some time: one that ends takes its own with it. */
export class ReplicaStatistics {
  readonly #times = new Map<string, ReplicaTimes>();
  #isLooking = false;

  get all(): readonly ReplicaTimes[] {
    return [...this.#times.values()];
  }

  /** Asks all of these; one that does not answer keeps what it said before. A look that is not over yet is not begun again. */
  async look(replicas: readonly Address[]): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const asked = replicas.map(async ({ stage, pod, address }) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await fetch(`http://${address}/v2/models/stats`, { signal });
      if (answer.ok) this.#times.set(`${stage}/${pod}`, { stage, pod, serviceTimes: readTimes(await answer.json()) });
    });
    await Promise.allSettled(asked);
    this.#isLooking = false;
  }
}

/** Reads the statistics extension of the Open Inference Protocol: `version` is the variant. */
function readTimes(statistics: unknown): ReplicaTimes["serviceTimes"] {
  const { model_stats: models } = statistics as {
    readonly model_stats: readonly {
      readonly version: string;
      readonly batch_stats: readonly {
        readonly batch_size: number;
        readonly compute_infer: { readonly count: number; readonly ns: number };
      }[];
    }[];
  };
  return models.flatMap(({ version, batch_stats: batches }) =>
    batches.map(({ batch_size: rows, compute_infer: { count, ns } }) => ({
      variant: version,
      rows,
      batches: count,
      totalMs: ns / 1e6,
    })),
  );
}
