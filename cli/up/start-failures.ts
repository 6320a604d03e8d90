import type { NackCode } from "../../domain/assignment.ts";
import { unfitVariants } from "../../domain/memory-fit.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { SwitcherPage } from "../../scaler/pipeline-page.ts";

/** The part of a replica's newest report that tells what it refuses and loads. */
type ReplicaReport = Pick<SwitcherPage, "stage" | "residentVariants" | "missingVariants" | "nack"> & {
  readonly variants: readonly { readonly variant: string; readonly state: string; readonly reason: string }[];
};

/** Faults of a model or its shape that no later try mends by itself. */
const LASTING_FAULTS: readonly NackCode[] = [
  "sha256_mismatch",
  "model_invalid",
  "contract_mismatch",
  "golden_mismatch",
  "memory_short",
];

/**
 * Remembers which variants the replicas refused while a pipeline starts. A refused variant is tried again after a few seconds, and another one
 * may have its turn meanwhile, so that one look doesn't tell whether all of them were refused.
 */
export class StartFailures {
  readonly #pipeline: Pipeline;
  readonly #refused = new Map<string, string>();

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  /** Why variants were refused so far; null: none was. */
  get messages(): string | null {
    return this.#refused.size === 0 ? null : [...this.#refused.values()].join("; ");
  }

  /** Says why a stage will never have a ready replica: each variant that it may serve was refused for good. Null: it may have one. */
  look(readyStages: readonly string[], replicas: readonly ReplicaReport[]): string | null {
    const unfit = unfitVariants(this.#pipeline);
    for (const { name: stage, variants } of this.#pipeline.stages) {
      const own = replicas.filter(replica => replica.stage === stage);
      for (const replica of own) this.#note(replica);
      const isLoading = own.some(replica => replica.variants.some(({ state }) => state === "loading"));
      const isServing = readyStages.includes(stage) || own.some(({ residentVariants }) => residentVariants.length > 0);
      if (isLoading || isServing) continue;
      const refusals = variants
        .filter(({ name, profile }) => profile && !unfit.some(one => one.stage === stage && one.variant === name))
        .map(({ name }) => this.#refused.get(`${stage}/${name}`));
      if (refusals.length > 0 && refusals.every(message => message !== undefined)) return refusals.join("; ");
    }
    return null;
  }

  #note({ stage, nack, variants, residentVariants, missingVariants }: ReplicaReport): void {
    const say = (variant: string, why: string) =>
      this.#refused.set(`${stage}/${variant}`, `stage ${stage}: ${variant} can't be served: ${why}`);
    // A switcher puts a variant in quarantine for a fault of its model alone; a file that is missing may still come.
    for (const { variant, state, reason } of variants)
      if (state === "quarantined" && !missingVariants.includes(variant)) say(variant, reason);
    if (nack && LASTING_FAULTS.includes(nack.code)) say(nack.variant, `${nack.code}: ${nack.message}`);
    for (const variant of residentVariants) this.#refused.delete(`${stage}/${variant}`);
  }
}
