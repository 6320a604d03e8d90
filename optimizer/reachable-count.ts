/** How the live HPA of a stage turns the value it is told into replicas. */
export interface HpaScaling {
  /** `status.replicas` of what it scales: the count that it compares with. */
  readonly current: number;
  /** Changes up to this share are left undone; 0 where the HPA is exact. */
  readonly toleranceUp: number;
  readonly toleranceDown: number;
  /** Its own maximum, which it applies last; infinite where it is not known. */
  readonly max: number;
}

export interface ReachableCount {
  /** What the HPA must be told. */
  readonly metricValue: number;
  /** What it makes of that. */
  readonly replicas: number;
}

/** A ratio that is at the edge of the band is inside, however it is rounded; counts are too small for ratios to be closer than this. */
const ROUNDING = 1e-9;

/**
 * The count nearest to `wanted`, and not below it, that the HPA goes to from where it is. With target 1 the HPA compares value/current
 * with 1 and keeps the current count when that is within the tolerance; else it goes to the value (`GetExternalPerPodMetricReplicas` of
 * Kubernetes 1.36). So there is no value that moves 20 replicas to 21 at a tolerance of 0.1: the next count is 23, and 19 and 18 are had
 * by staying.
 *
 * Where the next count is above `most`, the HPA's own maximum cuts it off if that is no higher; else the stage stays where it is, short.
 *
 * @param most highest count that the stage may have.
 */
export function reachableCount(wanted: number, most: number, scaling: HpaScaling | undefined): ReachableCount {
  const exact = { metricValue: wanted, replicas: wanted };
  // At zero the HPA rests, and KEDA goes to and from zero without it.
  if (!scaling || wanted === 0 || scaling.current === 0 || !isLeftUndone(wanted, scaling)) return exact;
  const { current, toleranceUp, max } = scaling;
  if (wanted <= current) {
    const stay = Math.max(wanted, Math.min(current, most));
    return { metricValue: stay, replicas: stay };
  }
  let next = Math.max(wanted, Math.floor(current * (1 + toleranceUp)));
  while (isLeftUndone(next, scaling)) next += 1;
  if (next <= most) return { metricValue: next, replicas: next };
  return max <= most && wanted <= max
    ? { metricValue: next, replicas: max }
    : { metricValue: current, replicas: current };
}

function isLeftUndone(value: number, { current, toleranceUp, toleranceDown }: HpaScaling): boolean {
  if (value === current) return false;
  const ratio = value / current;
  return ratio >= 1 - toleranceDown - ROUNDING && ratio <= 1 + toleranceUp + ROUNDING;
}
