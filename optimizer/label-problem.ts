import type { Part } from "../domain/configuration.ts";
import type { AccuracyStep } from "./accuracy.ts";

/** One way to serve a stage whose latency is one number. */
export interface LabelOption extends AccuracyStep {
  readonly variant: string;
  readonly batch: number;
  readonly replicas: number;
  /** Of variants that serve together. */
  readonly parts?: readonly Part[];
  /** All of them serve every row: no table knows the variant. */
  readonly isVote?: boolean;
  /** Tells the options of a stage apart, whatever the rows. */
  readonly key: string;
  /** What it takes from the objective. */
  readonly price: number;
  readonly latencyMs: number;
  /** No choice of the same variant that is left out for this one is faster, whatever the rows; missing: none is left out. */
  readonly leastMs?: number;
  /** What it takes of each limited resource, in the order of the problem's limits. */
  readonly uses: readonly number[];
}

export interface LabelStage {
  /** Index of the stage whose rows its own are counted from; -1: none. */
  readonly upstream: number;
  /** Indices of the stages that must be done before it. */
  readonly after: readonly number[];
  /** Rows of this stage for one row of its upstream stage, which serves `variant`. */
  readonly fanOut: (variant: string | null) => number;
  /** Its fan-out depends on the variant that is served upstream. */
  readonly followsVariant: boolean;
  /** Options at so many rows of one request. */
  readonly optionsAt: (rows: number) => readonly LabelOption[];
  /** Fewest and most rows that the variants before it can give. */
  readonly rows: readonly [number, number];
}

/**
 * Choose an option for every stage so that worth · accuracy − Σ price is highest, where accuracy is `start` taken through the options'
 * steps, the longest path of latencies is at most `latencyMs`, and no resource is used beyond its limit.
 */
export interface LabelProblem {
  readonly stages: readonly LabelStage[];
  readonly worth: number;
  readonly start: number;
  readonly minAccuracy: number;
  readonly latencyMs: number;
  readonly limits: readonly number[];
  /** Combinations whose accuracy is not what the steps give; null: there are none. */
  readonly table: AccuracyTable | null;
}

export interface AccuracyTable {
  /** Whether it has a combination that starts so. */
  isMeasured(prefix: readonly string[]): boolean;
  most(prefix: readonly string[]): number;
  of(variants: readonly string[]): number;
}
