import { mainPart, type Part } from "../domain/configuration.ts";
import { neededReplicas } from "./needed-replicas.ts";
import { reachableCount } from "./reachable-count.ts";
import { replicasPrice, type Scope, type ScopeStage, type ScopeVariant } from "./scope.ts";
import { latencyOf } from "./served-latency.ts";
import { distributionOf } from "./stage-mixture.ts";
import type { Option } from "./stage-options.ts";
import { CELLS } from "./wait-distribution.ts";

/** Parts of a stage that several variants serve together. */
export interface PartsChoice {
  readonly parts: readonly Part[];
  readonly price: number;
  readonly cores: number;
  readonly costPerHour: number;
  readonly workCores: number;
}

/** Choices of one member that are looked at: the cheapest ones. */
const MOST_CHOICES = 6;

/** `spare`: replicas that each member may have beyond the fewest. */
export function partsChoices(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  spare: number,
): PartsChoice[] {
  const lists = variant.members.map(({ variant: member, share }) =>
    member.batches
      .flatMap(batch => {
        const needed = neededReplicas(scope, stage, rows * share, batch / member.service.meanMs(batch));
        const fewest = Math.max(1, needed);
        return Array.from({ length: spare + 1 }, (_, i) => ({
          variant: member.name,
          batch,
          replicas: fewest + i,
          share,
        }));
      })
      .sort(
        (a, b) =>
          replicasPrice(scope, stage, member, a.replicas) - replicasPrice(scope, stage, member, b.replicas) ||
          a.batch - b.batch,
      )
      .slice(0, MOST_CHOICES),
  );
  let all: Part[][] = [[]];
  for (const list of lists) all = all.flatMap(parts => list.map(part => [...parts, part]));
  return all.flatMap(parts => {
    const replicas = parts.reduce((sum, part) => sum + part.replicas, 0);
    const reached = reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas;
    return replicas < stage.minReplicas || replicas > stage.maxReplicas || reached !== replicas
      ? []
      : [choiceOf(scope, stage, variant, rows, parts)];
  });
}

function choiceOf(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  parts: readonly Part[],
): PartsChoice {
  let price = scope.problem.pipeline.objective.weights.batch * (mainPart({ parts })?.batch ?? 1);
  let cores = 0;
  let costPerHour = 0;
  let workCores = 0;
  for (const [i, { batch, replicas, share }] of parts.entries()) {
    const member = variant.members[i]?.variant;
    if (!member) continue;
    price += replicasPrice(scope, stage, member, replicas);
    cores += replicas * member.cores;
    costPerHour += replicas * (stage.stage.costPerHour ?? 0);
    workCores += ((scope.rateRps / 1000) * rows * share * member.service.meanMs(batch) * member.cores) / batch;
  }
  return { parts, price, cores, costPerHour, workCores };
}

/** As `allOptions`, for variants that serve together. */
export function compositeOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  mostPrice: number,
): Option[] {
  return partsChoices(scope, stage, variant, rows, 1)
    .filter(({ price }) => price <= mostPrice)
    .map(choice => {
      const latencies = choice.parts.map(({ batch, replicas, share }, i) => ({
        share,
        latency: latencyOf(scope, stage, variant.members[i]?.variant ?? variant, { rows, batch, replicas }, share),
      }));
      const constantMs = Math.max(...latencies.map(({ latency }) => latency.constantMs));
      const isPlain = scope.policy.latency !== "queueing";
      const distribution = isPlain
        ? { constantMs, cumulative: new Float64Array(CELLS + 1).fill(1) }
        : distributionOf({ rows, parts: latencies }, scope.stepMs, CELLS);
      const main = mainPart(choice);
      const replicas = choice.parts.reduce((sum, part) => sum + part.replicas, 0);
      return { ...choice, ...distribution, batch: main?.batch ?? 1, replicas };
    });
}
