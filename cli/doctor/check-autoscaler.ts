import { isPausedBy } from "./check-scaled-object.ts";
import { type Autoscaler, hpaNameOf, type ScaledObject, type ScalingRules } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** A step that is not limited in practice. */
const ENOUGH_PODS = 100;
const PATH = "advanced.horizontalPodAutoscalerConfig.behavior";

/** What the live HPA does with the counts that it is told. */
export function checkAutoscaler(scaledObject: ScaledObject, autoscaler: Autoscaler): readonly Finding[] {
  const where = `hpa ${autoscaler.metadata.namespace}/${autoscaler.metadata.name}`;
  return [
    checkTolerance(scaledObject, autoscaler, where),
    ...checkSteps(scaledObject, autoscaler, where),
    ...checkBounds(scaledObject, autoscaler, where),
    ...checkConditions(autoscaler, where),
  ];
}

function checkTolerance(scaledObject: ScaledObject, { spec }: Autoscaler, where: string): Finding {
  const live = { up: spec.behavior?.scaleUp?.tolerance, down: spec.behavior?.scaleDown?.tolerance };
  if (isZero(live.up) && isZero(live.down))
    return ok("tolerance", where, "has no tolerance: every count is reached exactly");
  const asked = scaledObject.spec.advanced?.horizontalPodAutoscalerConfig?.behavior;
  const isAsked = isZero(asked?.scaleUp?.tolerance) && isZero(asked?.scaleDown?.tolerance);
  const what = `leaves small changes undone (tolerance up ${shown(live.up)}, down ${shown(live.down)}): the scaler asks for counts that it reaches, more than needed`;
  return warn(
    "tolerance",
    where,
    what,
    isAsked
      ? "the ScaledObject says 0 and it did not arrive: the API server drops the field before Kubernetes 1.35 (feature gate HPAConfigurableTolerance), and KEDA before 2.18"
      : `set ${PATH}.scaleUp.tolerance and scaleDown.tolerance of the ScaledObject to "0"`,
  );
}

function isZero(tolerance: string | number | null | undefined): boolean {
  return tolerance !== null && tolerance !== undefined && Number.parseFloat(String(tolerance)) === 0;
}

function shown(tolerance: string | number | null | undefined): string {
  return tolerance === null || tolerance === undefined ? "the cluster's default, usually 0.1" : String(tolerance);
}

/** By which KEDA disables a direction, whatever the ScaledObject's spec says. */
const PAUSES = { scaleUp: "autoscaling.keda.sh/paused-scale-out", scaleDown: "autoscaling.keda.sh/paused-scale-in" };

function checkSteps(scaledObject: ScaledObject, { spec }: Autoscaler, where: string): Finding[] {
  const findings: Finding[] = [];
  const { scaleUp, scaleDown } = spec.behavior ?? {};
  for (const [direction, rules] of [
    ["scaleUp", scaleUp],
    ["scaleDown", scaleDown],
  ] as const) {
    if (rules?.selectPolicy === "Disabled")
      findings.push(
        isPausedBy(scaledObject, PAUSES[direction])
          ? warn(
              "steps",
              where,
              `${direction} is disabled by a pause`,
              "see `paused`: without the annotation KEDA enables it",
            )
          : fail("steps", where, `${direction} is disabled`, `set ${PATH}.${direction}.selectPolicy to Max`),
      );
    const windowSeconds = rules?.stabilizationWindowSeconds ?? (direction === "scaleDown" ? 300 : 0);
    if (windowSeconds > 0)
      findings.push(
        warn(
          "windows",
          where,
          `${direction} follows only after a window of ${windowSeconds} s, on top of the scaler's own`,
          `set ${PATH}.${direction}.stabilizationWindowSeconds to 0`,
        ),
      );
  }
  if (!allowsAll("scaleUp", scaleUp, spec.maxReplicas))
    findings.push(
      warn(
        "policies",
        where,
        "scaleUp is limited in steps: a rise takes several syncs of the HPA",
        `set ${PATH}.scaleUp.policies to [{type: Pods, value: 1000, periodSeconds: 15}] and selectPolicy to Max`,
      ),
    );
  if (!allowsAll("scaleDown", scaleDown, spec.maxReplicas))
    findings.push(
      warn(
        "policies",
        where,
        "scaleDown is limited in steps: replicas are given back late",
        `set ${PATH}.scaleDown.policies to [{type: Percent, value: 100, periodSeconds: 15}] and selectPolicy to Max`,
      ),
    );
  return findings.length > 0 ? findings : [ok("steps", where, "follows at once, in one step")];
}

/** Whether one sync may go from any count to any other; without rules the HPA at most doubles, or adds 4, and takes all away. */
function allowsAll(direction: "scaleUp" | "scaleDown", rules: ScalingRules | null | undefined, max: number): boolean {
  const policies = rules?.policies ?? [];
  if (policies.length === 0) return direction === "scaleDown" || max <= 4;
  const isEnough = policies.map(({ type, value }) => {
    if (type === "Pods") return value >= Math.min(ENOUGH_PODS, max);
    // Percent of what is there: all of it, or from one up to the maximum.
    return value >= (direction === "scaleDown" ? 100 : 100 * (max - 1));
  });
  return rules?.selectPolicy === "Min" ? isEnough.every(Boolean) : isEnough.some(Boolean);
}

function checkBounds(scaledObject: ScaledObject, { spec }: Autoscaler, where: string): Finding[] {
  const max = scaledObject.spec.maxReplicaCount ?? 100;
  // An HPA has no minimum of 0: KEDA goes there by itself.
  const min = Math.max(1, scaledObject.spec.minReplicaCount ?? 0);
  const live = { min: spec.minReplicas ?? 1, max: spec.maxReplicas };
  if (live.min === min && live.max === max) return [];
  return [
    warn(
      "hpa-bounds",
      where,
      `allows ${live.min} to ${live.max} replicas and the ScaledObject ${min} to ${max}: KEDA has not taken the change over`,
      `see the log of keda-operator; something else may edit ${hpaNameOf(scaledObject)}`,
    ),
  ];
}

function checkConditions({ status, metadata }: Autoscaler, where: string): Finding[] {
  return (status?.conditions ?? [])
    .filter(({ type, status: is }) => (type === "ScalingActive" || type === "AbleToScale") && is === "False")
    .map(({ type, reason, message }) =>
      reason === "ScalingDisabled"
        ? warn("hpa-active", where, "what it scales is at zero", "none, where the stage is idle: KEDA wakes it up")
        : fail(
            "hpa-active",
            where,
            `${type} is False: ${reason ?? ""} ${message ?? ""}`.trim(),
            `kubectl -n ${metadata.namespace} describe hpa ${metadata.name}, and the logs of keda-operator and of the scaler`,
          ),
    );
}
