import { fanOutOf, type Pipeline, type Stage, type Variant } from "../domain/pipeline.ts";
import type { PolicyName } from "../domain/policy-name.ts";
import { POLICIES } from "./policies.ts";
import type { Combining } from "./problem.ts";
import { type MeasuredVotes, votersOf, voteSets } from "./vote-sets.ts";

/** Several variants that serve a stage together. */
export interface Composite extends Variant {
  /** Shares sum to 1 where rows are split; every share is 1 where all serve every row and vote. */
  readonly members: readonly { readonly variant: Variant; readonly share: number }[];
}

/** Shares of rows that the first of two variants may get. */
const SHARES = [0.25, 0.5, 0.75];
const NONE: MeasuredVotes = [];
/** Ways to combine the variants of one stage that are remembered. */
const MOST_KNOWN = 16;

interface Known {
  readonly measured: MeasuredVotes;
  readonly all: Stage["variants"];
}

const known = new WeakMap<Stage["variants"], Map<string, Known>>();

/** The members of a variant that is a composite; none of one that is not. */
export function membersOf(variant: Variant): Composite["members"] {
  return "members" in variant ? (variant as Composite).members : [];
}

/** Whether a policy chooses among variants together: those that choose variants and replicas do. */
export function mayCombine(policy: PolicyName): boolean {
  const { variants, replicas } = POLICIES[policy];
  return variants === "free" && replicas === "free";
}

/** The votes that a pipeline's policy plans by itself: of the stages whose file says that they give classes. */
export function votesOf({ objective, stages }: Pipeline): Readonly<Record<string, Combining>> {
  if (!POLICIES[objective.policy].ensembles) return {};
  return Object.fromEntries(
    stages.flatMap(({ name, votes }) =>
      votes ? [[name, { kind: "vote" as const, correlation: votes.correlation }] as const] : [],
    ),
  );
}

/** The pipeline with what the variants of its stages can be together, and the rows that follow from it. */
export function combined(pipeline: Pipeline, combine: Readonly<Record<string, Combining>>): Pipeline {
  const stages = pipeline.stages.map(stage => {
    const own = Object.hasOwn(combine, stage.name) ? combine[stage.name] : undefined;
    return own ? { ...stage, variants: withComposites(stage, own) } : stage;
  });
  return {
    ...pipeline,
    stages: stages.map(stage =>
      withRows(
        stage,
        stages.find(({ name }) => name === stage.upstream),
      ),
    ),
  };
}

/** A composite gives the mean of its members' rows. */
function withRows(stage: Stage, upstream: Stage | undefined): Stage {
  const composites = upstream?.variants.filter(variant => membersOf(variant).length > 0) ?? [];
  if (composites.length === 0) return stage;
  const rows = composites.map(composite => {
    const members = membersOf(composite);
    const shares = members.reduce((sum, { share }) => sum + share, 0);
    const of = members.reduce((sum, { variant, share }) => sum + share * fanOutOf(stage, variant.name), 0);
    return [composite.name, of / shares] as const;
  });
  const byUpstreamVariant = { ...stage.fanOut.byUpstreamVariant, ...Object.fromEntries(rows) };
  return { ...stage, fanOut: { ...stage.fanOut, byUpstreamVariant } };
}

/**
 * The variants of a stage with what they can be together: sets that vote, or pairs that rows are split over in quarters. The same array
 * every time.
 */
function withComposites({ variants, votes }: Stage, combining: Combining): Stage["variants"] {
  const byKind = known.get(variants) ?? new Map<string, Known>();
  known.set(variants, byKind);
  const key = JSON.stringify(combining);
  const measured = votes?.measured ?? NONE;
  const before = byKind.get(key);
  if (before?.measured === measured) return before.all;
  if (byKind.size >= MOST_KNOWN) byKind.clear();
  const all = [...variants, ...compositesOf(variants, combining, measured)];
  byKind.set(key, { measured, all });
  return all;
}

function compositesOf(variants: Stage["variants"], combining: Combining, measured: MeasuredVotes): Composite[] {
  if (combining.kind === "vote")
    return voteSets(variants, combining.correlation, measured, combining.sets).map(({ voters, accuracy }) =>
      compositeOf(
        voters,
        voters.map(() => 1),
        accuracy,
      ),
    );
  return pairsOf(votersOf(variants)).flatMap(([a, b]) =>
    SHARES.map(share => {
      const accuracy = share * (a.accuracy ?? 0) + (1 - share) * (b.accuracy ?? 0);
      return compositeOf([a, b], [share, 1 - share], accuracy);
    }),
  );
}

function pairsOf<T>(values: readonly T[]): (readonly [T, T])[] {
  return values.flatMap((a, i) => values.slice(i + 1).map(b => [a, b] as const));
}

function compositeOf(set: readonly Variant[], shares: readonly number[], accuracy: number): Composite {
  const [first] = set;
  if (!first) throw new Error("a composite has members");
  const members = set.map((variant, i) => ({ variant, share: shares[i] ?? 1 }));
  const name = members.map(({ variant, share }) => (share === 1 ? variant.name : `${share}*${variant.name}`)).join("+");
  return { ...first, name, accuracy, members };
}
