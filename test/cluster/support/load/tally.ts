/** How the requests of a client ended. */
export interface Tally {
  readonly offered: number;
  readonly served: number;
  /** Of the served: after more than the client's limit. */
  readonly late: number;
  /** Refused or given up in words: 503 and 504. */
  readonly dropped: number;
  /** No answer, a reset, or the word of the gateway (502) that a replica was lost. */
  readonly lost: number;
  /** Any other answer. */
  readonly failed: number;
  /** Served, by the variants that the answer names. */
  readonly byVariants: Readonly<Record<string, number>>;
  /** Of those that were lost or failed: when (ms since 1970), and what was said; the first ones. */
  readonly complaints: readonly string[];
}

export const NOTHING: Tally = {
  offered: 0,
  served: 0,
  late: 0,
  dropped: 0,
  lost: 0,
  failed: 0,
  byVariants: {},
  complaints: [],
};

/** What came between two tallies of one client. */
export function since(earlier: Tally, later: Tally): Tally {
  const byVariants = Object.entries(later.byVariants)
    .map(([variants, count]) => [variants, count - (earlier.byVariants[variants] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return {
    offered: later.offered - earlier.offered,
    served: later.served - earlier.served,
    late: later.late - earlier.late,
    dropped: later.dropped - earlier.dropped,
    lost: later.lost - earlier.lost,
    failed: later.failed - earlier.failed,
    byVariants: Object.fromEntries(byVariants),
    complaints: later.complaints.slice(earlier.complaints.length),
  };
}
