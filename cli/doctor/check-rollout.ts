import type { Autoscaler, Target } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** What Kubernetes takes where a Deployment says nothing. */
const DEFAULT_SHARE = "25%";
const FIX = "set strategy.rollingUpdate to {maxUnavailable: 0, maxSurge: 25%}";

/**
 * What a rolling update takes from the replicas that are planned, and adds to them.
 *
 * @param autoscaler its live HPA; null where that is not known.
 */
export function checkRollout(target: Target, autoscaler: Autoscaler | null, where: string): readonly Finding[] {
  if (target.kind !== "Deployment") return checkProgress(target, where);
  const { strategy, replicas } = target.spec;
  if (strategy?.type === "Recreate")
    return [fail("rollout", where, "strategy Recreate ends all pods at once: requests are lost in each rollout", FIX)];
  const share = strategy?.rollingUpdate;
  const most = autoscaler?.spec.maxReplicas ?? replicas ?? 1;
  const surge = countOf(share?.maxSurge ?? DEFAULT_SHARE, most, Math.ceil);
  const unavailable = countOf(share?.maxUnavailable ?? DEFAULT_SHARE, most, Math.floor);
  const findings: Finding[] = [];
  if (unavailable > 0)
    findings.push(
      warn(
        "rollout",
        where,
        `a rollout takes up to ${unavailable} of ${most} replicas away, which the plan counts on (maxUnavailable ${share?.maxUnavailable ?? DEFAULT_SHARE})`,
        FIX,
      ),
    );
  if (surge > 0 && autoscaler && hasTolerance(autoscaler))
    findings.push(
      warn(
        "rollout",
        where,
        `a rollout adds up to ${surge} pods, and an HPA with a tolerance may keep them for good`,
        'set tolerance "0" both ways, as under `tolerance`',
      ),
    );
  if (findings.length === 0)
    findings.push(ok("rollout", where, `a rollout takes no replica away, and adds up to ${surge} pods to ${most}`));
  return [...findings, ...checkProgress(target, where)];
}

/** As Kubernetes counts a number or a percentage. */
function countOf(value: string | number, of: number, round: (count: number) => number): number {
  const text = String(value);
  return text.endsWith("%") ? round((Number.parseFloat(text) * of) / 100) : Number(value);
}

function hasTolerance({ spec }: Autoscaler): boolean {
  const { scaleUp, scaleDown } = spec.behavior ?? {};
  return [scaleUp, scaleDown].some(rules => Number.parseFloat(String(rules?.tolerance ?? "0.1")) !== 0);
}

/** Pods that can't be made, because of a quota for example, and rollouts that do not get on. */
function checkProgress({ status, metadata }: Target, where: string): Finding[] {
  const bad = (status?.conditions ?? []).filter(
    ({ type, status: is }) =>
      (type === "ReplicaFailure" && is === "True") || (type === "Progressing" && is === "False"),
  );
  return bad.map(({ type, reason, message }) =>
    fail(
      "rollout",
      where,
      `${type === "ReplicaFailure" ? "pods can't be made" : "does not get on"}: ${[reason, message].filter(Boolean).join(": ")}`,
      type === "ReplicaFailure"
        ? `raise the quota of namespace ${metadata.namespace}, or let the pipeline file allow fewer replicas`
        : `kubectl -n ${metadata.namespace} rollout status ${where.replace(/ .*\//, "/")}; undo it where the new version is bad`,
    ),
  );
}
