import { replicasOf, type StageConfiguration } from "../../domain/configuration.ts";
import type { Plan, PlannedMix, StagePlan } from "../../domain/plan.ts";
import type { Problem } from "../problem.ts";
import { expectMix, expectRate, mixesVariants } from "./expected-value.ts";

/** The replicas of one plan with the planned variants of a more accurate one, which serve of those as much as they have time for. */
export interface MixedPlan {
  readonly cores: number;
  readonly stages: readonly StagePlan[];
  readonly mix: PlannedMix;
}

/** Accuracies closer than this are the same. */
const STEP = 1e-7;

/**
 * The mixes of variants that are worth having at a problem's rate, cheapest first: for each plan of a front the most accurate one that its replicas
 * serve with the variants of a plan that costs more, where no other plan or mix is as accurate for no more cores. Accuracies are the most that can
 * be had: replicas are busy nearly all of their time, and how long requests wait is not looked at.
 *
 * @param plans a front as paretoFront() has it, cheapest first.
 */
export function findMixedFront(problem: Problem, plans: readonly Plan[]): readonly MixedPlan[] {
  if (!mixesVariants(problem)) return [];
  const mixed: MixedPlan[] = [];
  let most = 0;
  for (const [at, plan] of plans.entries()) {
    most = Math.max(most, plan.accuracy);
    for (const heavier of plans.slice(at + 1)) {
      const stages = heavier.stages.map((stage, s) => withReplicas(stage, plan.stages[s] as StagePlan));
      // Where pods of another variant are larger they are not the same replicas.
      if (stages.some(({ cores }, s) => Math.abs(cores - (plan.stages[s]?.cores ?? 0)) > STEP)) continue;
      const mix = expectMix(problem, { ...heavier, stages }, expectRate(problem.rateRps));
      const isMixed = mix.stages.some(({ shares }) => shares.length > 1);
      if (!isMixed || mix.served < 1 - STEP || mix.accuracy <= most + STEP) continue;
      if (mixed.at(-1)?.cores === plan.cores) mixed.pop();
      mixed.push({ cores: plan.cores, stages, mix });
      most = mix.accuracy;
    }
  }
  return mixed;
}

function withReplicas(stage: StagePlan, other: StageConfiguration): StagePlan {
  const [from, to] = [replicasOf(stage), replicasOf(other)];
  const [part] = stage.parts;
  if (!part || from === 0) return stage;
  return { ...stage, cores: (stage.cores / from) * to, parts: [{ ...part, replicas: to }] };
}
