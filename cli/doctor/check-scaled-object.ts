import { hpaNameOf, ourTrigger, type ScaledObject, type Target } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Names of Kubernetes objects that become labels. */
const MOST_NAME_LENGTH = 63;
const AUTHENTICATION_KEYS = ["caCert", "tlsClientCert", "tlsClientKey"];
const PAUSES = [
  "autoscaling.keda.sh/paused",
  "autoscaling.keda.sh/paused-replicas",
  "autoscaling.keda.sh/paused-scale-in",
  "autoscaling.keda.sh/paused-scale-out",
];
/** Of these, those that KEDA takes the HPA away for. */
const FULL_PAUSES = PAUSES.slice(0, 2);
const RECIPE = "`variscale manifests` writes it right";

/** What a ScaledObject says itself, whatever the cluster made of it. */
export function checkScaledObject(scaledObject: ScaledObject): readonly Finding[] {
  const where = `scaledobject ${scaledObject.metadata.namespace}/${scaledObject.metadata.name}`;
  return [
    ...checkTriggers(scaledObject, where),
    ...checkMetadata(scaledObject, where),
    ...checkFallback(scaledObject, where),
    ...checkNames(scaledObject, where),
    ...checkPauses(scaledObject, where),
    ...checkConditions(scaledObject, where),
  ];
}

function checkTriggers(scaledObject: ScaledObject, where: string): Finding[] {
  const { triggers } = scaledObject.spec;
  const trigger = ourTrigger(scaledObject);
  const findings: Finding[] = [];
  findings.push(
    triggers.length === 1
      ? ok("one-trigger", where, "has one trigger")
      : fail(
          "one-trigger",
          where,
          `has ${triggers.length} triggers: the HPA takes the highest of their counts, and one that fails stops all of them`,
          "remove the other triggers; load that they watch belongs into the pipeline's load source",
        ),
  );
  if (trigger?.type === "external")
    findings.push(
      warn(
        "trigger-type",
        where,
        "is of type `external`: going from zero waits for the polling interval",
        "write `type: external-push`",
      ),
    );
  const metricType = trigger?.metricType ?? "AverageValue";
  if (metricType !== "AverageValue")
    findings.push(
      fail(
        "metric-type",
        where,
        `has metricType ${metricType}: the count then depends on how many pods are ready`,
        "write `metricType: AverageValue` beside the trigger's type",
      ),
    );
  else if (trigger && "metricType" in trigger.metadata)
    findings.push(
      warn(
        "metric-type",
        where,
        "has metricType in the trigger's metadata, where KEDA does not read it",
        "move it beside the trigger's type",
      ),
    );
  else findings.push(ok("metric-type", where, "metricType is AverageValue"));
  return findings;
}

function checkMetadata(scaledObject: ScaledObject, where: string): Finding[] {
  const keys = ourTrigger(scaledObject)?.metadata ?? {};
  const ignored = AUTHENTICATION_KEYS.filter(key => key in keys);
  if (ignored.length > 0)
    return [
      fail(
        "tls-keys",
        where,
        `has ${ignored.join(", ")} in the trigger's metadata, where KEDA does not read them: without more the connection is plaintext`,
        "put them into a TriggerAuthentication and name it in `authenticationRef`; `variscale manifests --tls-secret` does",
      ),
    ];
  if (keys["unsafeSsl"] === "true")
    return [
      warn(
        "tls-keys",
        where,
        "has unsafeSsl: KEDA takes any certificate for the scaler's",
        "remove it, and give the CA as `caCert` in a TriggerAuthentication",
      ),
    ];
  return [];
}

function checkFallback({ spec }: ScaledObject, where: string): Finding[] {
  const { fallback } = spec;
  if (!fallback)
    return [
      warn(
        "fallback",
        where,
        "has no fallback: replicas freeze while the scaler gives no count",
        `add one with \`behavior: currentReplicasIfHigher\`; ${RECIPE}`,
      ),
    ];
  if (fallback.replicas === 0)
    return [
      fail(
        "fallback",
        where,
        "falls back to 0 replicas: the stage goes away when the scaler gives no count",
        "set `fallback.replicas` to at least 1",
      ),
    ];
  if (fallback.behavior !== "currentReplicasIfHigher")
    return [
      warn(
        "fallback",
        where,
        `falls back to ${fallback.replicas} replicas, also where more are there and needed`,
        "set `fallback.behavior: currentReplicasIfHigher`",
      ),
    ];
  return [ok("fallback", where, `falls back to no less than ${fallback.replicas} replicas`)];
}

function checkNames(scaledObject: ScaledObject, where: string): Finding[] {
  const name = hpaNameOf(scaledObject);
  if (name.length <= MOST_NAME_LENGTH) return [];
  return [
    fail(
      "names",
      where,
      `its HPA would be named ${name}, with ${name.length} characters: KEDA allows ${MOST_NAME_LENGTH}`,
      "give the ScaledObject a shorter name",
    ),
  ];
}

/** Whether KEDA has no HPA for it, as long as it is paused as a whole. */
export function hasNoAutoscaler(scaledObject: ScaledObject): boolean {
  return FULL_PAUSES.some(name => isPausedBy(scaledObject, name));
}

export function isPausedBy({ metadata }: ScaledObject, annotation: string): boolean {
  return pauseOf(metadata, annotation) !== null;
}

function pauseOf({ annotations }: ScaledObject["metadata"], name: string): string | null {
  const value = annotations?.[name];
  return value === undefined || value === "false" ? null : value;
}

function checkPauses({ metadata }: ScaledObject, where: string): Finding[] {
  return PAUSES.flatMap(name => {
    const value = pauseOf(metadata, name);
    if (value === null) return [];
    return [
      warn(
        "paused",
        where,
        `is paused by the annotation ${name}: ${value}: KEDA does not follow the scaler, as in the chart's shadow mode`,
        `to have it followed, install the chart with mode=active, or: kubectl -n ${metadata.namespace} annotate scaledobject ${metadata.name} ${name}-`,
      ),
    ];
  });
}

function checkConditions({ metadata, status }: ScaledObject, where: string): Finding[] {
  const condition = (type: string) => status?.conditions?.find(one => one.type === type);
  const ready = condition("Ready");
  const fallback = condition("Fallback");
  const findings: Finding[] = [];
  if (ready?.status === "True") findings.push(ok("ready", where, "KEDA has it ready"));
  else
    findings.push(
      fail(
        "ready",
        where,
        ready
          ? `KEDA has it not ready: ${ready.reason ?? ""} ${ready.message ?? ""}`.trim()
          : "KEDA has not looked at it",
        `kubectl -n ${metadata.namespace} describe scaledobject ${metadata.name}: Events of variscale say why; see also the log of keda-operator`,
      ),
    );
  if (fallback?.status === "True")
    findings.push(
      warn(
        "fallback-active",
        where,
        "KEDA uses the fallback: the scaler gives no count",
        "see the scaler's conditions: GET /api/v1/pipelines/NAMESPACE/NAME, and its log",
      ),
    );
  return findings;
}

/** Whether something besides the autoscaler sets the replicas of what is scaled. */
export function checkTarget(target: Target, where: string): Finding {
  const managers = (target.metadata.managedFields ?? [])
    .filter(({ subresource, fieldsV1 }) => subresource !== "scale" && "f:replicas" in (fieldsV1?.["f:spec"] ?? {}))
    .map(({ manager }) => manager);
  const applied = target.metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"];
  if (applied !== undefined && namesReplicas(applied)) managers.push("kubectl apply");
  if (managers.length === 0) return ok("replicas-owner", where, "no manifest sets its replicas");
  return warn(
    "replicas-owner",
    where,
    `its spec.replicas is set by ${[...new Set(managers)].join(", ")}: applied again, it sets back what the autoscaler did`,
    "remove `replicas` from the manifest, chart or GitOps application (Argo CD: ignoreDifferences on /spec/replicas)",
  );
}

function namesReplicas(applied: string): boolean {
  try {
    const { spec } = JSON.parse(applied) as { spec?: { replicas?: unknown } };
    return spec?.replicas !== undefined;
  } catch {
    return false;
  }
}
