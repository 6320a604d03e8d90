import type { Configuration } from "../../domain/configuration.ts";
import type { ScopeStage } from "../scope.ts";
import { readTop } from "./expected-value.ts";

/** The variant, batch size and replicas of one stage. */
export interface Choice {
  readonly variant: string;
  /** A replica has so many. */
  readonly cores: number;
  readonly batch: number;
  readonly replicas: number;
}

/** The stage with one of its variants, or with none if it is not among them. */
export function keepVariant(stage: ScopeStage, name: string | undefined): ScopeStage {
  return { ...stage, variants: stage.variants.filter(variant => variant.name === name) };
}

/** Those that differ in one stage. */
export function listOthers(stages: readonly ScopeStage[], choices: readonly Choice[]): readonly (readonly Choice[])[] {
  return stages.flatMap((stage, s) =>
    listChoices(stage, choices[s] as Choice, true).map(choice => choices.with(s, choice)),
  );
}

/** Lists any variants and batches of a stage with about as many replicas. */
export function listChoices(stage: ScopeStage, choice: Choice, mayJump: boolean): readonly Choice[] {
  const jump = Math.max(2, Math.round(choice.replicas / 4));
  const steps = mayJump ? [0, -1, 1, -jump, jump] : [0, -1, 1];
  const counts = steps.flatMap(by => addReplicas(stage, choice, by)?.replicas ?? []);
  const tops = stage.variants.flatMap(({ name, cores, batches }) =>
    batches.map(batch => ({ variant: name, cores, batch })),
  );
  return tops.flatMap(top => counts.map(replicas => ({ ...top, replicas })));
}

export function isSame(some: Choice, other: Choice): boolean {
  return some.variant === other.variant && some.batch === other.batch && some.replicas === other.replicas;
}

function addReplicas(
  { minReplicas, maxReplicas, pinnedReplicas }: ScopeStage,
  choice: Choice,
  by: number,
): Choice | null {
  const replicas = choice.replicas + by;
  if (by === 0) return choice;
  return pinnedReplicas !== null || replicas < minReplicas || replicas > maxReplicas ? null : { ...choice, replicas };
}

/** Reads what a stage begins with: as near to the configuration as variants, batches and bounds allow. */
export function readChoice(stage: ScopeStage, configuration: Configuration): Choice | null {
  const top = readTop(configuration[stage.stage.name]);
  const variant = stage.variants.find(({ name }) => name === top?.variant) ?? stage.variants[0];
  if (!top || !variant) return null;
  const batch = variant.batches.includes(top.batch) ? top.batch : (variant.batches[0] ?? 1);
  const bounded = Math.min(stage.maxReplicas, Math.max(stage.minReplicas, top.replicas));
  return { variant: variant.name, cores: variant.cores, batch, replicas: stage.pinnedReplicas ?? bounded };
}

export function toKey(choices: readonly Choice[]): string {
  return choices.map(({ variant, batch, replicas }) => `${variant} ${batch} ${replicas}`).join();
}
