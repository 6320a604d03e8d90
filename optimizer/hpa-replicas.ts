/** Deviations up to this share of the target are left alone: the default of Kubernetes' HPA. */
export const HPA_TOLERANCE = 0.1;

export interface HpaSituation {
  /** Replicas now; 0: there are none. */
  readonly current: number;
  /** Replicas at which the metric would be at its target: current · metric / target. */
  readonly wanted: number;
  /** What was recommended within the stabilisation window (5 minutes by default); scaling down goes no lower than the most of it. */
  readonly recommended: readonly number[];
}

/**
 * Kubernetes' HPA: ⌈current · metric / target⌉, the current count where that ratio is within the tolerance, and for fewer replicas the
 * most that was recommended lately.
 *
 * Worked example: 4 replicas at 90 % of a target of 75 % are 4.8, that is 5; at 80 % they stay 4.
 */
export function hpaReplicas({ current, wanted, recommended }: HpaSituation): number {
  const isClose = current > 0 && Math.abs(wanted / current - 1) <= HPA_TOLERANCE + 1e-9;
  const desired = isClose ? current : Math.max(0, Math.ceil(wanted - 1e-9));
  if (desired >= current) return desired;
  return Math.min(current, Math.max(desired, ...recommended));
}
