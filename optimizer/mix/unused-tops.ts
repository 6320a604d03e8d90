import { type Configuration, mainPart, replicasOf } from "../../domain/configuration.ts";
import type { Likely } from "../../domain/load.ts";
import { findVariant } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";
import type { Problem } from "../problem.ts";
import { type ValuedPlan, valuePlan } from "./search-mix.ts";

/** A planned variant with a smaller share of the rows of its stage is not used. */
const LEAST_SHARE = 0.0005;
/** A plan with fewer right answers in time by no more than this share of the requests loses nothing. */
const LEAST_LOSS = 1e-4;

/**
 * Plans the heaviest variant that does serve in the place of one that is hardly expected to, in its smallest batch that loses nothing: what is planned
 * is what serves then, and replicas keep no model in memory that they don't need.
 */
export function replaceUnusedTops(problem: Problem, likely: Likely, valued: ValuedPlan): ValuedPlan {
  let best = valued;
  for (const { name } of problem.pipeline.stages) best = listReplaced(problem, likely, best, name).next().value ?? best;
  return best;
}

function* listReplaced(problem: Problem, likely: Likely, valued: ValuedPlan, name: string): Generator<ValuedPlan> {
  const { plan, mix } = valued;
  const stage = problem.pipeline.stages.find(other => other.name === name);
  const planned = plan.stages.find(other => other.stage === name);
  const shares = mix.stages.find(other => other.stage === name)?.shares ?? [];
  const used = shares.find(({ share }) => share >= LEAST_SHARE);
  const top = planned && mainPart(planned);
  if (!stage || !top || !used || used.variant === top.variant) return;
  const profile = findVariant(stage, used.variant)?.profile;
  for (const { batch } of profile?.points ?? []) {
    const part = { ...top, variant: used.variant, batch, replicas: replicasOf(planned), share: 1 };
    const configuration: Configuration = { ...configurationOf(plan), [name]: { parts: [part] } };
    const other = valuePlan(problem, configuration, likely);
    const isAsGood =
      other && (other.isEnough || !valued.isEnough) && readRight(other) >= readRight(valued) - LEAST_LOSS;
    if (isAsGood) yield other;
  }
}

function readRight({ mix }: ValuedPlan): number {
  return mix.accuracy * mix.served;
}
