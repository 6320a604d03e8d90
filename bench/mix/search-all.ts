import type { Configuration } from "../../domain/configuration.ts";
import type { Likely } from "../../domain/load.ts";
import { findCarried } from "../../optimizer/evaluate.ts";
import { valueAnswers } from "../../optimizer/mix/expected-value.ts";
import { MixModel } from "../../optimizer/mix/mix-model.ts";
import { type ValuedPlan, valuePlan } from "../../optimizer/mix/search-mix.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { type ScopeStage, scopeOf } from "../../optimizer/scope.ts";

interface Option {
  readonly variant: string;
  readonly batch: number;
  readonly replicas: number;
  readonly cores: number;
  /** Whether the stage serves another variant now. */
  readonly isSwitch: boolean;
}

/**
 * Looks at every variant, batch size and number of replicas of all stages, and has the one that is worth most over the rates that may come. Latencies are
 * looked at only where a plan would be better than the best so far.
 */
export function searchAll(problem: Problem, likely: Likely): ValuedPlan | null {
  const { objective, slo, stages } = problem.pipeline;
  const scope = scopeOf(problem);
  const model = new MixModel(problem, likely, objective.utilisation);
  let best: ValuedPlan | null = null;
  for (const options of combine(scope.stages.map(listOptions))) {
    const mixed = model.measure(options);
    const costs = options.reduce(
      (sum, { cores, batch, isSwitch }) =>
        sum +
        objective.weights.cost * cores +
        objective.weights.batch * batch +
        (isSwitch ? objective.weights.switch : 0),
      0,
    );
    const value = valueAnswers(objective, mixed) - costs;
    const isEnough = mixed.served >= slo.quantile && mixed.accuracy >= (objective.minAccuracy ?? 0);
    const isBetter: boolean = !best || (isEnough === best.isEnough ? value > best.value : isEnough);
    if (!isBetter) continue;
    const parts = options.map(({ variant, batch, replicas }) => [{ variant, batch, replicas, share: 1 }]);
    const configuration: Configuration = Object.fromEntries(
      stages.map(({ name }, s) => [name, { parts: parts[s] ?? [] }]),
    );
    if (findCarried(scope, configuration) !== null) best = valuePlan(problem, configuration, likely) ?? best;
  }
  return best;
}

function listOptions({ variants, minReplicas, maxReplicas, currentVariant }: ScopeStage): readonly Option[] {
  const counts = Array.from({ length: maxReplicas - minReplicas + 1 }, (_, i) => minReplicas + i);
  return variants.flatMap(({ name, batches, cores }) =>
    batches.flatMap(batch =>
      counts.map(replicas => ({
        variant: name,
        batch,
        replicas,
        cores: replicas * cores,
        isSwitch: currentVariant !== null && currentVariant !== name,
      })),
    ),
  );
}

function* combine<T>([first = [], ...others]: readonly (readonly T[])[]): Generator<readonly T[]> {
  for (const one of first)
    if (others.length === 0) yield [one];
    else for (const rest of combine(others)) yield [one, ...rest];
}
