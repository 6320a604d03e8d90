import type { CombinationAccuracy } from "../control/accuracy-drift.ts";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { accuracyOf } from "../optimizer/accuracy.ts";

/** Items that change in the middle of a run, and what the control loop gets to know of it. */
export interface SimulatedDrift {
  /** From the start of what counts. */
  readonly fromSecond: number;
  /** By combination of variants, from then on; others are predicted from these. */
  readonly accuracies: readonly CombinationAccuracy[];
  readonly told: ToldOfDrift;
}

export type ToldOfDrift =
  | { readonly kind: "nothing" }
  /** What answers say of themselves. */
  | {
      readonly kind: "estimates";
      /** Estimates without labels err by this: the mean of `bias` that `variscale drift` finds. */
      readonly bias: number;
      /** Of the answers, labelled so long after they were given. */
      readonly labelShare: number;
      readonly labelDelayMs: number;
    }
  /** The accuracies themselves, as soon as items drift: what can't be known. */
  | { readonly kind: "accuracies" };

/** Combinations of variants are known by a number, so that nothing is looked up by names for every request. */
interface Known {
  readonly variants: Readonly<Record<string, string>>;
  readonly accuracy: number;
  /** Null: not asked for since it drifted. */
  drifted: number | null;
}

interface Counts {
  requests: number;
  right: number;
  labels: number;
  correction: number;
}

interface Label {
  readonly combination: number;
  readonly share: number;
  readonly dueMs: number;
  readonly correction: number;
}

/** How right answers are, and what is told of it: as the gateway's estimates are counted and labelled. */
export class SimAnswers {
  readonly #pipeline: Pipeline;
  readonly #drift: SimulatedDrift | null;
  readonly #drifted: Pipeline;
  readonly #fromMs: number;
  readonly #random: () => number;
  readonly #known = new Map<number, Known>();
  #told = new Map<number, Counts>();
  /** Not yet told, in the order of their times. */
  #labels: Label[] = [];

  /** @param fromMs when items drift, by the simulation's clock. */
  constructor(pipeline: Pipeline, drift: SimulatedDrift | null, fromMs: number, random: () => number) {
    this.#pipeline = pipeline;
    this.#drift = drift;
    this.#fromMs = fromMs;
    this.#random = random;
    const { accuracy } = pipeline;
    this.#drifted = drift ? { ...pipeline, accuracy: { ...accuracy, combinations: drift.accuracies } } : pipeline;
  }

  /**
   * Takes an answer in, and gives the accuracy of who gave it.
   *
   * @param namesOf the variants, in the order of the stages.
   * @param share of the request that this combination answered.
   */
  answer(combination: number, namesOf: () => readonly string[], nowMs: number, share = 1): number {
    let known = this.#known.get(combination);
    if (!known) {
      const names = namesOf();
      const variants = Object.fromEntries(this.#pipeline.stages.map(({ name }, s) => [name, names[s] ?? ""]));
      known = { variants, accuracy: accuracyOf(this.#pipeline).of(names), drifted: null };
      this.#known.set(combination, known);
    }
    if (!this.#drift) return known.accuracy;
    if (nowMs >= this.#fromMs) known.drifted ??= accuracyOf(this.#drifted).of(namesOf());
    const accuracy = nowMs >= this.#fromMs ? (known.drifted ?? known.accuracy) : known.accuracy;
    this.#tell(combination, accuracy, nowMs, share);
    return accuracy;
  }

  /** What answers have told since the last call, and accuracies that are known without them; empty: as they were measured. */
  take(nowMs: number): {
    readonly answered: readonly AccuracyEstimate[];
    readonly accuracies: readonly CombinationAccuracy[];
  } {
    const due = this.#labels.findIndex(({ dueMs }) => dueMs > nowMs);
    for (const { combination, share, correction } of this.#labels.splice(0, due < 0 ? this.#labels.length : due)) {
      const counts = this.#countsOf(combination);
      counts.labels += share;
      counts.correction += correction;
    }
    const answered = [...this.#told].map(([combination, counts]) => ({
      variants: (this.#known.get(combination) as Known).variants,
      ...counts,
    }));
    this.#told = new Map();
    const isKnown = this.#drift?.told.kind === "accuracies" && nowMs >= this.#fromMs;
    return { answered, accuracies: isKnown ? this.#drift.accuracies : [] };
  }

  #tell(combination: number, accuracy: number, nowMs: number, share: number): void {
    const told = this.#drift?.told;
    if (told?.kind !== "estimates") return;
    const estimate = Math.min(1, Math.max(0, accuracy + (nowMs >= this.#fromMs ? told.bias : 0)));
    const counts = this.#countsOf(combination);
    counts.requests += share;
    counts.right += share * estimate;
    if (this.#random() >= told.labelShare) return;
    const correction = share * ((this.#random() < accuracy ? 1 : 0) - estimate);
    this.#labels.push({ combination, share, dueMs: nowMs + told.labelDelayMs, correction });
  }

  #countsOf(combination: number): Counts {
    const counts = this.#told.get(combination) ?? { requests: 0, right: 0, labels: 0, correction: 0 };
    this.#told.set(combination, counts);
    return counts;
  }
}
