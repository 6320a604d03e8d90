import type { Configuration } from "../../domain/configuration.ts";
import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import type { Objective } from "../../domain/pipeline-schema.ts";
import { accuracyOf } from "../accuracy.ts";
import type { ScopeStage } from "../scope.ts";
import { readTop } from "./expected-value.ts";
import { findRowMs } from "./rungs.ts";

/** The variant, batch size and replicas of one stage. */
export interface Choice {
  readonly variant: string;
  readonly batch: number;
  readonly replicas: number;
  /** All replicas have so many. */
  readonly cores: number;
  readonly costPerHour: number;
  /** By the weights of the objective: cores, batch and the switch to another variant. */
  readonly costs: number;
  /** No plan is more accurate whose replicas serve its variant or lighter ones. */
  readonly mostAccuracy: number;
}

type Weights = Objective["weights"];

/** The choices of one stage, each made once. */
export class StageChoices {
  private readonly stage: ScopeStage;
  private readonly weights: Weights;
  private readonly mostAccuracies: ReadonlyMap<string, number>;
  private readonly byReplicas = new Map<number, readonly Choice[]>();

  /** @param mostAccuracies of its variants: see Choice. */
  constructor(stage: ScopeStage, weights: Weights, mostAccuracies: ReadonlyMap<string, number>) {
    this.stage = stage;
    this.weights = weights;
    this.mostAccuracies = mostAccuracies;
  }

  /** Keeps those with one variant; none are left if it is not among them. */
  keepVariant(name: string | undefined): StageChoices {
    const variants = this.stage.variants.filter(variant => variant.name === name);
    return new StageChoices({ ...this.stage, variants }, this.weights, this.mostAccuracies);
  }

  /** Reads what a stage begins with: as near to the configuration as variants, batches and bounds allow; null: it names nothing. */
  read(configuration: Configuration): Choice | null {
    const { stage, variants, minReplicas, maxReplicas, pinnedReplicas } = this.stage;
    const top = readTop(configuration[stage.name]);
    const variant = variants.find(({ name }) => name === top?.variant) ?? variants[0];
    if (!top || !variant) return null;
    const batch = variant.batches.includes(top.batch) ? top.batch : (variant.batches[0] ?? 1);
    const replicas = pinnedReplicas ?? Math.min(maxReplicas, Math.max(minReplicas, top.replicas));
    return this.list(replicas).find(own => own.variant === variant.name && own.batch === batch) ?? null;
  }

  /** Lists any variants and batches with about as many replicas, first with the same number. */
  listNear({ replicas }: Choice, mayJump: boolean): readonly Choice[] {
    const { minReplicas, maxReplicas, pinnedReplicas } = this.stage;
    if (pinnedReplicas !== null) return this.list(replicas);
    const jump = Math.max(2, Math.round(replicas / 4));
    const steps = mayJump ? [-1, 1, -jump, jump] : [-1, 1];
    const others = steps.map(by => replicas + by).filter(count => count >= minReplicas && count <= maxReplicas);
    return [replicas, ...others].flatMap(count => this.list(count));
  }

  /** Lists any variants and batches with one replica more than there may be; none where their number is pinned. */
  listBeyond(): readonly Choice[] {
    return this.stage.pinnedReplicas === null ? this.list(this.stage.maxReplicas + 1) : [];
  }

  isBeyond({ replicas }: Choice): boolean {
    return replicas > this.stage.maxReplicas;
  }

  private list(replicas: number): readonly Choice[] {
    const known = this.byReplicas.get(replicas);
    if (known) return known;
    const { stage, variants, currentVariant } = this.stage;
    const { cost, batch: batchWeight, switch: switchWeight } = this.weights;
    const choices = variants.flatMap(({ name, cores, batches }) =>
      batches.map(batch => ({
        variant: name,
        batch,
        replicas,
        cores: replicas * cores,
        costPerHour: replicas * (stage.costPerHour ?? 0),
        costs:
          cost * replicas * cores +
          batchWeight * batch +
          (currentVariant !== null && currentVariant !== name ? switchWeight : 0),
        mostAccuracy: this.mostAccuracies.get(name) ?? 1,
      })),
    );
    this.byReplicas.set(replicas, choices);
    return choices;
  }
}

/** No combination with a variant, or with one that takes less time for a row, is more accurate. */
export function boundAccuracies(pipeline: Pipeline, stage: Stage, s: number): ReadonlyMap<string, number> {
  const model = accuracyOf(pipeline);
  const timed = stage.variants.flatMap(({ name, profile }) => (profile ? [{ name, rowMs: findRowMs(profile) }] : []));
  return new Map(
    timed.map(({ name, rowMs }) => {
      const lighter = timed.filter(other => other.rowMs <= rowMs);
      return [name, Math.max(...lighter.map(other => model.mostWith(s, other.name)))];
    }),
  );
}

export function toKey(choices: readonly Choice[]): string {
  return choices.map(({ variant, batch, replicas }) => `${variant} ${batch} ${replicas}`).join();
}

/** A key of variants and batches, whatever the replicas. */
export function toTopsKey(choices: readonly Choice[]): string {
  return choices.map(({ variant, batch }) => `${variant} ${batch}`).join();
}

export function toConfiguration(choices: readonly Choice[], names: readonly string[]): Configuration {
  const named = choices.map(({ variant, batch, replicas }, s) => {
    return [names[s] ?? "", { parts: [{ variant, batch, replicas, share: 1 }] }] as const;
  });
  return Object.fromEntries(named);
}
