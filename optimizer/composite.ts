import { fanOutOf, type Pipeline, type Stage, type Variant } from "../domain/pipeline.ts";
import type { PolicyName } from "../domain/policy-name.ts";
import { POLICIES } from "./policies.ts";
import type { Combining } from "./problem.ts";
import { voteAccuracy } from "./vote.ts";

/** Several variants that serve a stage together. */
export interface Composite extends Variant {
  /** Shares sum to 1 where rows are split; every share is 1 where all serve every row and vote. */
  readonly members: readonly { readonly variant: Variant; readonly share: number }[];
}

type MeasuredVotes = NonNullable<Stage["votes"]>["measured"];

const VOTERS = [3, 5];
/** Shares of rows that the first of two variants may get. */
const SHARES = [0.25, 0.5, 0.75];
const MOST_SETS = 200;

const known = new WeakMap<Stage["variants"], Map<string, readonly Variant[]>>();

/** The members of a variant that is a composite; none of one that is not. */
export function membersOf(variant: Variant): Composite["members"] {
  return "members" in variant ? (variant as Composite).members : [];
}

/** Whether a policy chooses among variants together: those that choose variants and replicas do. */
export function mayCombine(policy: PolicyName): boolean {
  const { variants, replicas } = POLICIES[policy];
  return variants === "free" && replicas === "free";
}

/** The variants that may serve together, the most accurate ones first: how good and how fast they are is known. */
export function votersOf(variants: Stage["variants"]): readonly Variant[] {
  return variants
    .filter(({ profile, accuracy }) => profile !== null && accuracy !== null)
    .toSorted((a, b) => (b.accuracy ?? 0) - (a.accuracy ?? 0));
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
 * The variants of a stage with what they can be together: sets of three and five that vote (the most accurate ones first, 200 sets at
 * most), or pairs that rows are split over in quarters. The same array every time.
 */
function withComposites({ variants, votes }: Stage, combining: Combining): Stage["variants"] {
  const byKind = known.get(variants) ?? new Map<string, readonly Variant[]>();
  known.set(variants, byKind);
  const key = JSON.stringify(combining);
  const all = byKind.get(key) ?? [...variants, ...compositesOf(variants, combining, votes?.measured ?? [])];
  byKind.set(key, all);
  return all;
}

function compositesOf(variants: Stage["variants"], combining: Combining, votes: MeasuredVotes): Composite[] {
  const measured = new Map(votes.map(set => [setOf(set.variants), set.accuracy]));
  const usable = votersOf(variants);
  if (combining.kind === "split")
    return [...subsets(usable, 2)].flatMap(pair =>
      SHARES.map(share => {
        const [a, b] = pair.map(({ accuracy }) => accuracy ?? 0);
        const accuracy = share * (a ?? 0) + (1 - share) * (b ?? 0);
        return compositeOf(pair, [share, 1 - share], accuracy);
      }),
    );
  const sets: Variant[][] = [];
  for (const size of VOTERS)
    for (const set of subsets(usable, size)) {
      if (sets.length === MOST_SETS) break;
      sets.push(set);
    }
  return sets.map(set => {
    const accuracy =
      measured.get(setOf(set.map(({ name }) => name))) ??
      voteAccuracy(
        set.map(variant => variant.accuracy ?? 0),
        combining.correlation,
      );
    return compositeOf(
      set,
      set.map(() => 1),
      accuracy,
    );
  });
}

/** The same for the same variants in any order. */
function setOf(names: readonly string[]): string {
  return [...names].sort().join("+");
}

function compositeOf(set: readonly Variant[], shares: readonly number[], accuracy: number): Composite {
  const [first] = set;
  if (!first) throw new Error("a composite has members");
  const members = set.map((variant, i) => ({ variant, share: shares[i] ?? 1 }));
  const name = members.map(({ variant, share }) => (share === 1 ? variant.name : `${share}*${variant.name}`)).join("+");
  return { ...first, name, accuracy, members };
}

/** One after the other: of a hundred variants there are 75 million sets of five. */
function* subsets<T>(values: readonly T[], size: number): Generator<T[]> {
  if (size === 0) yield [];
  else
    for (const [i, value] of values.entries())
      for (const rest of subsets(values.slice(i + 1), size - 1)) yield [value, ...rest];
}
