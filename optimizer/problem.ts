import type { Configuration } from "../domain/configuration.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import type { HpaScaling } from "./reachable-count.ts";

/** Part of a stage's configuration that is given, not chosen; null: free. */
export interface StagePin {
  readonly stage: string;
  readonly variant: string | null;
  readonly batch: number | null;
  readonly replicas: number | null;
  /** Replicas may go lighter than its variant, which is pinned for plans alone; missing: they may not. */
  readonly mayGoLighter?: true;
}

export interface Limits {
  /** Most cores of all replicas together (replicas × shape); null: no limit. */
  readonly cores: number | null;
  /**
   * Cores of the one machine that all replicas share, so that replicas may outnumber cores but their work may not:
   * Σ λ_s · service_s ≤ utilisation · machineCores. Null: replicas have their cores to themselves.
   */
  readonly machineCores: number | null;
}

/** One optimisation: choose variant, batch and replicas of every stage for an entry rate. */
export interface Problem {
  readonly pipeline: Pipeline;
  /** Entry rate to plan for. */
  readonly rateRps: number;
  /** What is served now: changes of variant are charged. Null: nothing is. */
  readonly current: Configuration | null;
  /** Measured over profiled service time by stage; 1 where missing. */
  readonly corrections: Readonly<Record<string, number>>;
  /** Variants that may not be used, by stage: quarantined, not installed, or not resident. */
  readonly excluded: Readonly<Record<string, readonly string[]>>;
  readonly pins: readonly StagePin[];
  readonly limits: Limits;
  /** Replica bounds by stage that are narrower than the pipeline file's. */
  readonly bounds: Readonly<Record<string, { readonly min: number; readonly max: number }>>;
  /** How live HPAs turn counts into replicas, by stage; exactly where missing. Counts that an HPA can't be brought to are not chosen. */
  readonly scaling?: Readonly<Record<string, HpaScaling>>;
  /** Most replicas that an HPA's formula gave within its stabilisation window, by stage: the policy `reactive` goes no lower. */
  readonly recommended?: Readonly<Record<string, number>>;
  /** Rows per second that other pipelines bring to a stage that they share, by stage; none where missing. */
  readonly othersRps?: Readonly<Record<string, number>>;
  /** Stages that several variants may serve together, by stage. Missing: as policy and pipeline file say (`votesOf`). */
  readonly combine?: Readonly<Record<string, Combining>>;
  /** In the place of the pipeline file's and of the policy's: for what the same choices are worth otherwise. */
  readonly weights?: Objective["weights"];
  /** False: the second best plan is not looked for, which takes about a third of the time. Default true. */
  readonly runnerUp?: boolean;
  /** What cores and memory take from the objective while plans are made; a plan's own objective is without it. Default 0. */
  readonly prices?: Prices;
}

/**
 * `vote`: all serve every row, and right and wrong of any two have this correlation; `sets` are looked at beside those that the search makes
 * by itself. `split`: each gets its share of the rows.
 */
export type Combining =
  | { readonly kind: "vote"; readonly correlation: number; readonly sets?: readonly (readonly string[])[] }
  | { readonly kind: "split" };

/** Per core, and per MiB of memory. */
export interface Prices {
  readonly core: number;
  readonly memoryMiB: number;
}
