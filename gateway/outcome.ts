/** Why a request was dropped: refused with 503, with 504 for `deadline`, or with 408 for `slow_body`. */
export const DROP_REASONS = ["queue_full", "replicas_full", "no_endpoint", "deadline", "slow_body"] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** How a request ended without a result. */
export type Failure =
  | { readonly kind: "dropped"; readonly reason: DropReason; readonly message: string }
  /** A replica reset the connection or gave no answer, on the second try too. */
  | { readonly kind: "lost"; readonly message: string }
  /** The pipeline's code threw, or replicas answered what they must not. */
  | { readonly kind: "failed"; readonly status: 500 | 502; readonly message: string; readonly cause: unknown }
  /** The client asked for what can't be answered; `status` is 400 unless it says otherwise. */
  | { readonly kind: "invalid"; readonly status?: 409 | 413; readonly message: string }
  | { readonly kind: "cancelled" };

/** How a request ended. Every request that was offered has exactly one. */
export type Outcome = { readonly kind: "served"; readonly body: string } | Failure;
