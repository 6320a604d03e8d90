import { mainPart } from "../domain/configuration.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Plan } from "../domain/plan.ts";
import { cheapest } from "./explain.ts";
import { optimize } from "./optimize.ts";
import type { Problem } from "./problem.ts";

/** More replicas than any pipeline has. */
const MOST_REPLICAS = 10_000;

/**
 * The cheapest plan with the heaviest variant of every stage, by the same latency model, without limits, pins and exclusions: what choosing
 * variants saves is the difference to it. Not feasible: no number of replicas keeps the SLO.
 */
export function heaviestPlan(problem: Problem): Plan {
  const nothing = { excluded: {}, pins: [], limits: { cores: null, machineCores: null }, bounds: {}, scaling: {} };
  const free: Problem = { ...problem, ...nothing, pipeline: withoutLimits(problem.pipeline), current: null };
  const { objective } = free.pipeline;
  const { stages } = optimize({
    ...free,
    pipeline: { ...free.pipeline, objective: { ...objective, policy: "fa2High" } },
  });
  const pins = stages.map(stage => ({
    stage: stage.stage,
    variant: mainPart(stage)?.variant ?? null,
    batch: null,
    replicas: null,
  }));
  return cheapest({ ...free, pins }, 0);
}

function withoutLimits(pipeline: Pipeline): Pipeline {
  const { maxCores: _cores, maxCostPerHour: _cost, minAccuracy: _accuracy, ...objective } = pipeline.objective;
  const stages = pipeline.stages.map(stage => ({ ...stage, replicas: { ...stage.replicas, max: MOST_REPLICAS } }));
  return { ...pipeline, objective, stages };
}
