import { type ConfidenceKind, findConfidence } from "../domain/confidence-threshold.ts";
import { elementsOf } from "../runtime/tensor-data.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import { SequenceClasses } from "./sequence-classes.ts";
import type { RungShare } from "./work-queue.ts";

/** Upper bounds of the confidence histogram; the last bucket has none. */
export const CONFIDENCE_BOUNDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] as const;

export const ASSERTIONS = ["range", "shape", "flicker", "class_change"] as const;
export type Assertion = (typeof ASSERTIONS)[number];

/** What is looked at in the answers of a stage. */
export interface AccuracyConfig {
  /** An output of FP32, FP64 or a whole-number datatype with one or more numbers a row. */
  readonly output: string;
  /** It is null where rows have none. */
  readonly confidence: ConfidenceKind | null;
  /**
   * From it on a row counts as right, by variant: learned from labels so that the share of those is the accuracy (ATC, Garg et al., ICLR 2022).
   */
  readonly thresholds: Readonly<Record<string, number>>;
  /** What every number must lie in; null: anything. */
  readonly range: { readonly min: number; readonly max: number } | null;
  /** Length that every row must have; null: any. */
  readonly rowLength: number | null;
  /** Whether the largest number names a class, which is followed along the requests of a `sequence_id`. */
  readonly classes: boolean;
}

interface VariantSignals {
  /** Rows at or above the variant's threshold, of those that were held against it. */
  readonly above: number;
  readonly held: number;
  readonly failed: Readonly<Record<Assertion, number>>;
}

class Tally {
  above = 0;
  held = 0;
  readonly failed: Record<Assertion, number> = { range: 0, shape: 0, flicker: 0, class_change: 0 };
}

/** Watches what the variants answer, without labels: signs that they are less right than they were. */
export class AccuracySignals {
  readonly #config: AccuracyConfig;
  readonly #tallies = new Map<string, Tally>();
  readonly #classes = new SequenceClasses();
  readonly #onConfidence: (variant: string, confidence: number) => void;

  /** `onConfidence` is told of each row that has a confidence. */
  constructor(config: AccuracyConfig, onConfidence: (variant: string, confidence: number) => void = () => undefined) {
    this.#config = config;
    this.#onConfidence = onConfidence;
  }

  of(variant: string): VariantSignals {
    return this.#tallies.get(variant) ?? new Tally();
  }

  /**
   * Looks at the outputs of one request. Each row counts for the rung that served it, as a confidence means something else with each.
   *
   * @param shares the rungs that served the rows, in the order of the rows.
   * @param sequence the request's `sequence_id`; null: it belongs to none.
   */
  observe(shares: readonly RungShare[], outputs: readonly NamedTensor[], sequence: string | null): void {
    const { output: name, rowLength } = this.#config;
    const output = outputs.find(candidate => candidate.name === name);
    if (!output || output.datatype === "BYTES" || output.datatype === "FP16" || output.datatype === "BF16") return;
    const numbers = Float64Array.from(elementsOf(output.datatype, output.bytes), Number);
    const rows = output.shape[0] ?? 0;
    const length = rows > 0 ? numbers.length / rows : 0;
    let row = 0;
    for (const share of shares) {
      const tally = this.#tallyFor(share.variant);
      if (rowLength !== null && length !== rowLength) tally.failed.shape += share.rows;
      for (const end = Math.min(rows, row + share.rows); row < end; row++)
        this.#observeRow(tally, share.variant, numbers.subarray(row * length, (row + 1) * length), sequence);
    }
  }

  #tallyFor(variant: string): Tally {
    const tally = this.#tallies.get(variant) ?? new Tally();
    this.#tallies.set(variant, tally);
    return tally;
  }

  #observeRow(tally: Tally, variant: string, row: Float64Array, sequence: string | null): void {
    const { range, classes, thresholds, confidence: kind } = this.#config;
    if (range && !row.every(value => value >= range.min && value <= range.max)) tally.failed.range++;
    const confidence = kind && findConfidence(row, kind);
    if (confidence !== null) {
      this.#onConfidence(variant, confidence);
      const threshold = thresholds[variant];
      if (threshold !== undefined) {
        tally.held++;
        if (confidence >= threshold) tally.above++;
      }
    }
    if (!classes || sequence === null || row.length === 0) return;
    const change = this.#classes.next(sequence, argmax(row));
    if (change !== null) tally.failed[change]++;
  }
}

function argmax(row: Float64Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] ?? 0) > (row[best] ?? 0)) best = i;
  return best;
}
