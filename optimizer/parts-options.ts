import { mainPart, type Part } from "../domain/configuration.ts";
import { choiceOf, enough } from "./composite-options.ts";
import type { StageLatency } from "./latency.ts";
import { reachableCount } from "./reachable-count.ts";
import { countedLatencies } from "./replica-counts.ts";
import { replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { latencyOf } from "./served-latency.ts";
import { aloneOf, type Distribution, distributionOf, slowestOf } from "./stage-mixture.ts";
import type { Option, Wanted } from "./stage-options.ts";
import { CELLS, chanceWithin } from "./wait-distribution.ts";

export interface PartsOptions {
  readonly options: readonly Option[];
  /** No plan with a choice that was not looked at is worth more, but for what its other stages take; -Infinity: there is none. */
  readonly leftBound: number;
  /** What was computed for it, in options. */
  readonly size: number;
}

/** Choices of a set that are looked at: the most promising ones. */
const MOST_CHOICES = 200;
/** Pairs that are weighed for the work of one option. */
const PAIRS = 20;

/** What one member may serve with. */
interface MemberChoice {
  readonly part: Part;
  readonly latency: StageLatency;
  readonly alone: Distribution;
  readonly price: number;
  readonly workMs: number;
  /** Never below the chance that it answers within the SLO. */
  readonly within: number;
}

/** A choice for the first members. */
interface Begun {
  readonly members: readonly MemberChoice[];
  readonly replicas: number;
  readonly price: number;
  readonly within: number;
}

/**
 * As `allOptions`, for variants that serve together. Of every member the batches and counts that no other of them beats are combined with
 * those of the others; where there are many, the ones with the highest bound, and the others are remembered by theirs.
 */
export function partsOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  { mostPrice, worth }: Wanted,
): PartsOptions {
  const lists = variant.members.map((_, i) => memberChoices(scope, stage, variant, i, rows));
  const least = lists.map(list => Math.min(...list.map(({ price }) => price)));
  const isVote = variant.members.every(({ share }) => share === 1);
  // Replicas that have to be added make a choice faster than its bound says.
  const areAdded = stage.scaling !== undefined || stage.minReplicas > variant.members.length;
  let leftBound = Number.NEGATIVE_INFINITY;
  let pairs = 0;
  let begun: readonly Begun[] = [{ members: [], replicas: 0, price: 0, within: 1 }];
  for (const [i, list] of lists.entries()) {
    const after = least.slice(i + 1).reduce((sum, price) => sum + price, 0);
    const room = stage.maxReplicas - (lists.length - i - 1);
    const boundOf = ({ within, price }: Begun) => worth * within - price - after;
    const next = begun
      .flatMap(some => list.map(choice => withMember(some, choice, isVote)))
      .filter(({ replicas, price }) => replicas <= room && price + after <= mostPrice);
    pairs += begun.length * list.length;
    if (next.length > MOST_CHOICES) {
      next.sort((a, b) => boundOf(b) - boundOf(a) || a.price - b.price);
      for (const left of next.slice(MOST_CHOICES))
        leftBound = Math.max(leftBound, areAdded ? worth - left.price - after : boundOf(left));
    }
    begun = next.slice(0, MOST_CHOICES);
  }
  const options: Option[] = [];
  for (const choice of begun) {
    const { option, isExact } = optionOf(scope, stage, variant, rows, choice, isVote);
    // Replicas that were added are the cheapest member's: no others would cost less.
    if (option && !isExact) leftBound = Math.max(leftBound, worth - option.price);
    if (option && option.price <= mostPrice) options.push(option);
  }
  return { options, leftBound, size: begun.length + pairs / PAIRS };
}

function withMember(some: Begun, choice: MemberChoice, isVote: boolean): Begun {
  return {
    members: [...some.members, choice],
    replicas: some.replicas + choice.part.replicas,
    price: some.price + choice.price,
    within: isVote ? some.within * choice.within : 1,
  };
}

function memberChoices(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  index: number,
  rows: number,
): readonly MemberChoice[] {
  const member = variant.members[index];
  if (!member) return [];
  const { variant: served, share } = member;
  const others = variant.members.length - 1;
  // Least replicas, and counts that an HPA goes to, are of all members together.
  const own = { ...stage, minReplicas: 1, maxReplicas: stage.maxReplicas - others, scaling: undefined };
  const isMain = variant.members.findIndex(({ variant: { name } }) => name === variant.main) === index;
  const { batch: perBatch } = scope.problem.pipeline.objective.weights;
  const choices = served.batches.flatMap(batch =>
    countedLatencies(scope, own, served, { rows, batch }, share).map(({ replicas, latency }): MemberChoice => {
      const alone = aloneOf(latency, scope.stepMs, CELLS);
      return {
        part: { variant: served.name, batch, replicas, share },
        latency,
        alone,
        price: replicasPrice(scope, stage, served, replicas) + (isMain ? perBatch * batch : 0),
        workMs: scope.problem.limits.machineCores === null ? 0 : served.service.meanMs(batch) / batch,
        // One step of the grid more than the SLO: products of interpolated chances are not those of the grid.
        within: chanceWithin(alone.cumulative, scope.stepMs, scope.sloMs - alone.constantMs + scope.stepMs),
      };
    }),
  );
  const areCounted = stage.scaling !== undefined || stage.minReplicas > variant.members.length;
  return choices.filter(
    (one, i) => !choices.some((other, k) => beats(other, one, areCounted) && (k < i || !beats(one, other, areCounted))),
  );
}

/** Whether a choice is as good as another in everything; with as many replicas where it counts how many there are. */
function beats(a: MemberChoice, b: MemberChoice, areCounted: boolean): boolean {
  if (areCounted ? a.part.replicas !== b.part.replicas : a.part.replicas > b.part.replicas) return false;
  if (a.price > b.price || a.workMs > b.workMs || a.alone.constantMs > b.alone.constantMs) return false;
  return b.alone.cumulative.every((chance, i) => chance <= (a.alone.cumulative[i] ?? 0));
}

/** `isExact`: false where replicas had to be added, which other members could have had. */
function optionOf(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  { members, replicas }: Begun,
  isVote: boolean,
): { readonly option: Option | null; readonly isExact: boolean } {
  const isReached =
    replicas >= stage.minReplicas && reachableCount(replicas, stage.maxReplicas, stage.scaling).replicas === replicas;
  const own = members.map(({ part }) => part);
  const parts = isReached ? own : enough(stage, variant, own);
  if (!parts) return { option: null, isExact: true };
  const latencies = parts.map((part, i) => {
    const known = members[i];
    if (known && known.part.replicas === part.replicas) return known;
    const { batch, share } = part;
    const served = variant.members[i]?.variant ?? variant;
    const latency = latencyOf(scope, stage, served, { rows, batch, replicas: part.replicas }, share);
    return { latency, alone: aloneOf(latency, scope.stepMs, CELLS) };
  });
  const mixture = { rows, parts: latencies.map(({ latency }, i) => ({ share: parts[i]?.share ?? 1, latency })) };
  const alone = latencies.map(latency => latency.alone);
  const distribution =
    (isVote && slowestOf(alone, scope.stepMs, CELLS)) || distributionOf(mixture, scope.stepMs, CELLS);
  const option = {
    ...choiceOf(scope, stage, variant, rows, parts),
    ...distribution,
    batch: mainPart({ parts })?.batch ?? 1,
    replicas: parts.reduce((sum, part) => sum + part.replicas, 0),
  };
  return { option, isExact: isReached };
}
