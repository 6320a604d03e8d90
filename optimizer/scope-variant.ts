import type { Stage, Variant } from "../domain/pipeline.ts";
import { membersOf } from "./composite.ts";
import { POLICIES } from "./policies.ts";
import type { Problem, StagePin } from "./problem.ts";
import { type ServiceTime, serviceTimeOf } from "./service-time.ts";

export interface ScopeVariant {
  readonly name: string;
  /** Of one replica. */
  readonly cores: number;
  readonly service: ServiceTime;
  /** Batch sizes to choose from. */
  readonly batches: readonly number[];
  /** Rows per ms of one replica with its best batch size. */
  readonly capacity: number;
  /** Those that serve together; none of a variant that serves alone. */
  readonly members: readonly { readonly variant: ScopeVariant; readonly share: number }[];
  /** Its own name, or that of the member with the largest share: what a switch goes to. */
  readonly main: string;
}

/** A stage's variant by name; null: it is unknown or was not profiled. */
export function variantOf(problem: Problem, stage: Stage, name: string): ScopeVariant | null {
  const variant = stage.variants.find(candidate => candidate.name === name);
  return (variant && scopeVariant(problem, stage, variant, [])[0]) ?? null;
}

/** `members`: what is known already of variants that serve together. */
export function scopeVariant(
  problem: Problem,
  stage: Stage,
  variant: Variant,
  pins: readonly StagePin[],
  members = new Map<Variant, ScopeVariant[]>(),
): ScopeVariant[] {
  if (!variant.profile || variant.profile.points.length === 0) return [];
  if (membersOf(variant).length > 0) return [compositeVariant(problem, stage, variant, members)];
  const service = serviceTimeOf(variant.profile, problem.corrections[stage.name] ?? 1);
  const pinned = pins.find(pin => pin.batch !== null)?.batch;
  const { batches: choice } = POLICIES[problem.pipeline.objective.policy];
  const measured = variant.profile.points.map(point => point.batch);
  const free = choice === "smallest" ? measured.slice(0, 1) : measured;
  const batches = pinned ? [Math.min(MOST_BATCH, Math.max(1, Math.floor(pinned)))] : free;
  const capacity = Math.max(...batches.map(batch => batch / service.meanMs(batch)));
  const cores = problem.pipeline.objective.podShape === "variant" ? variant.profile.cores : stage.cores;
  return [{ name: variant.name, main: variant.name, cores, service, batches, capacity, members: [] }];
}

/** Its cores and capacity are bounds: no choice of its members takes fewer cores for as many rows. */
function compositeVariant(
  problem: Problem,
  stage: Stage,
  variant: Variant,
  known: Map<Variant, ScopeVariant[]>,
): ScopeVariant {
  const members = membersOf(variant).flatMap(({ variant: member, share }) => {
    const own = known.get(member) ?? scopeVariant(problem, stage, member, []);
    known.set(member, own);
    return own.map(served => ({ variant: served, share }));
  });
  const main = members.reduce((most, member) => (member.share > most.share ? member : most), members[0] ?? NOBODY);
  return {
    name: variant.name,
    main: main.variant.name,
    cores: Math.min(...members.map(member => member.variant.cores)),
    service: main.variant.service,
    batches: [Math.min(...members.flatMap(member => member.variant.batches))],
    capacity: Math.max(...members.map(member => member.variant.capacity)),
    members,
  };
}

/** What a stage serves that can't be planned: its capacity is not known, and nothing is predicted of it. */
export function fallback(problem: Problem, stage: Stage, pins: readonly StagePin[]): ScopeVariant {
  const excluded = problem.excluded[stage.name] ?? [];
  const pinned = pins.find(pin => pin.variant !== null && !excluded.includes(pin.variant))?.variant;
  const byName = (name: string | undefined) => stage.variants.find(variant => variant.name === name);
  const served = byName(pinned ?? undefined) ?? byName(stage.defaultVariant);
  const [planned] = served ? scopeVariant(problem, stage, served, pins) : [];
  return planned ?? unprofiled(stage, served?.name ?? stage.defaultVariant);
}

/** Stands for a variant without a profile: no latency, no limit of capacity. */
export function unprofiled({ cores }: Pick<Stage, "cores">, name: string): ScopeVariant {
  const service: ServiceTime = { meanMs: () => 1e-6, scv: () => 0 };
  return { name, main: name, cores, service, batches: [1], capacity: Number.POSITIVE_INFINITY, members: [] };
}

/** Pinned batches beyond this are as good as infinite. */
const MOST_BATCH = 1e12;
const NOBODY = { variant: unprofiled({ cores: 1 }, ""), share: 0 };
