/** What was measured of one variant of a stage. */
export interface MeasuredVariant {
  readonly name: string;
  readonly points: readonly { readonly batch: number; readonly latencyMs: number }[];
  /** Share of right inputs that it is right on; null: not known. */
  readonly accuracy: number | null;
}

/** A variant that there is no reason to serve, and one that is better. */
export interface Dominated {
  readonly name: string;
  readonly by: string;
}

/**
 * Variants of a stage that another one dominates: at most as slow at every batch of theirs, and at least as accurate. Of equal ones the first
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

/** Of one stage of a file of measurements: profiles and accuracies by variant. */
export function measuredVariants(
  profiles: Readonly<Record<string, Pick<MeasuredVariant, "points">>>,
  accuracies: Readonly<Record<string, { readonly accuracy: number }>> | undefined,
): readonly MeasuredVariant[] {
  return Object.entries(profiles).map(([name, { points }]) => ({
    name,
    points,
    accuracy: accuracies?.[name]?.accuracy ?? null,
  }));
}
