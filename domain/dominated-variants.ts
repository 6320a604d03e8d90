/** What was measured of one variant of a stage. */
export interface MeasuredVariant {
  readonly name: string;
  readonly points: readonly { readonly batch: number; readonly latencyMs: number }[];
  /** Null: not known. */
  readonly accuracy: number | null;
}

/** A variant that is worth serving in few combinations if in any, and one that is better on average. */
export interface Dominated {
  readonly name: string;
  readonly by: string;
}

/**
 * Variants of a stage that another one dominates: at most as slow at every batch of theirs, and at least as accurate (where that is a mean over combinations, the other may
 * still win in one of them). Of equal ones the first
 * is left. One whose accuracy is not known neither dominates nor is dominated.
 */
export function dominatedVariants(variants: readonly MeasuredVariant[]): readonly Dominated[] {
  return variants.flatMap((variant, i) => {
    const better = variants.find(
      (other, k) => k !== i && isAsGood(other, variant) && (k < i || !isAsGood(variant, other)),
    );
    return better ? [{ name: variant.name, by: better.name }] : [];
  });
}

function isAsGood(other: MeasuredVariant, than: MeasuredVariant): boolean {
  if (other.accuracy === null || than.accuracy === null || other.accuracy < than.accuracy) return false;
  const times = new Map(other.points.map(({ batch, latencyMs }) => [batch, latencyMs]));
  return than.points.every(({ batch, latencyMs }) => (times.get(batch) ?? Number.POSITIVE_INFINITY) <= latencyMs);
}

interface MeasuredAccuracy {
  readonly stages?: Readonly<Record<string, Readonly<Record<string, { readonly accuracy: number }>>>> | undefined;
  readonly combinations?: readonly Combination[] | undefined;
}

interface Combination {
  readonly variants: Readonly<Record<string, string>>;
  readonly accuracy: number;
}

/**
 * Of one stage of a file of measurements. A variant's accuracy is that of the whole pipeline with it, mean over what the other stages were
 * measured with: a stage may be right by its own rule and still hand on what the next one reads worse. Where the variants have no such
 * combinations in common: the stage's own.
 */
export function measuredVariants(
  stage: string,
  profiles: Readonly<Record<string, Pick<MeasuredVariant, "points">>>,
  accuracy: MeasuredAccuracy | undefined,
): readonly MeasuredVariant[] {
  const names = Object.keys(profiles);
  const ends = endAccuracies(stage, names, accuracy?.combinations ?? []);
  return names.map((name, i) => ({
    name,
    points: profiles[name]?.points ?? [],
    accuracy: ends?.[i] ?? accuracy?.stages?.[stage]?.[name]?.accuracy ?? null,
  }));
}

/** Null: no choice of variants of the other stages was measured with each of `names`. */
function endAccuracies(
  stage: string,
  names: readonly string[],
  combinations: readonly Combination[],
): readonly number[] | null {
  const byOthers = new Map<string, Map<string, number>>();
  for (const { variants, accuracy } of combinations) {
    const { [stage]: own, ...others } = variants;
    const key = JSON.stringify(Object.entries(others).sort());
    if (own !== undefined) byOthers.set(key, (byOthers.get(key) ?? new Map()).set(own, accuracy));
  }
  const whole = [...byOthers.values()].filter(measured => names.every(name => measured.has(name)));
  if (whole.length === 0) return null;
  return names.map(name => whole.reduce((sum, measured) => sum + (measured.get(name) ?? 0), 0) / whole.length);
}
