import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** From this minor version on HPAs have a tolerance of their own without a feature gate. */
const TOLERANCE_MINOR = 35;

/** As KEDA's own chart names it. */
const OPERATOR = "keda-operator";

const operatorSchema = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ containers: z.array(z.looseObject({ image: z.string().nullish() })) }),
    }),
  }),
  status: z.looseObject({ readyReplicas: z.number().nullish() }).nullish(),
});

const versionSchema = z.looseObject({ gitVersion: z.string(), minor: z.string() });

const crdSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }),
  spec: z.looseObject({ versions: z.array(z.unknown()) }),
});

const apiServiceSchema = z.looseObject({
  spec: z.looseObject({
    service: z.looseObject({ name: z.string(), namespace: z.string() }).nullish(),
  }),
  status: z
    .looseObject({
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
});

/** The API server, KEDA and who answers for external metrics. The first one fails alone: without it nothing can be said. */
export async function checkCluster(client: KubernetesClient, kedaNamespace: string): Promise<readonly Finding[]> {
  const where = client.config.server;
  let version: z.output<typeof versionSchema>;
  try {
    version = versionSchema.parse(await client.getPath("/version"));
  } catch (error) {
    const { message } = VariscaleError.from(error);
    return [fail("api-server", where, message, "choose another context with --context, or correct the kubeconfig")];
  }
  const minor = Number.parseInt(version.minor, 10);
  const first =
    minor < TOLERANCE_MINOR
      ? warn(
          "api-server",
          where,
          `Kubernetes ${version.gitVersion}: before 1.${TOLERANCE_MINOR} HPAs have no tolerance of their own, and leave changes of up to 10 % undone`,
          "upgrade, turn on the feature gate HPAConfigurableTolerance (1.33 or later), or start kube-controller-manager with --horizontal-pod-autoscaler-tolerance=0 and the scaler with --hpa-tolerance 0",
        )
      : ok("api-server", where, `Kubernetes ${version.gitVersion}`);
  const { finding, version: kedaVersion } = await checkKeda(client);
  const operator = await checkOperator(client, kedaNamespace, kedaVersion);
  return [first, finding, ...operator, await checkApiService(client)];
}

/** Whether KEDA's operator runs, with the CRDs of its version. One that is named otherwise is not looked for. */
async function checkOperator(
  client: KubernetesClient,
  namespace: string,
  crdVersion: string | null,
): Promise<Finding[]> {
  const where = `deployment ${namespace}/${OPERATOR}`;
  let operator: z.output<typeof operatorSchema>;
  try {
    operator = operatorSchema.parse(await client.get(RESOURCES.deployments, namespace, OPERATOR));
  } catch {
    return [];
  }
  const { spec, status } = operator;
  if ((status?.readyReplicas ?? 0) === 0)
    return [
      fail(
        "keda-operator",
        where,
        "is not ready: nobody tells the HPAs what the scaler says",
        `kubectl -n ${namespace} describe deployment ${OPERATOR}`,
      ),
    ];
  const image = spec.template.spec.containers[0]?.image ?? "";
  const version = /:v?([^:/@]+)(@.*)?$/.exec(image)?.[1];
  if (version === undefined || crdVersion === null || version === crdVersion)
    return [ok("keda-operator", where, `runs ${version ?? image}`)];
  return [
    warn(
      "keda-operator",
      where,
      `runs ${version} with the CRDs of ${crdVersion}: fields that one of them does not know are dropped`,
      "upgrade KEDA with its CRDs",
    ),
  ];
}

async function checkKeda(client: KubernetesClient): Promise<{ finding: Finding; version: string | null }> {
  const name = "scaledobjects.keda.sh";
  try {
    const { metadata, spec } = crdSchema.parse(await client.get(RESOURCES.customResourceDefinitions, null, name));
    const version = metadata.labels?.["app.kubernetes.io/version"] ?? null;
    const told = version === null ? "KEDA is installed" : `KEDA ${version}`;
    if (JSON.stringify(spec.versions).includes('"tolerance"')) return { finding: ok("keda", name, told), version };
    const what = `${told}, and its ScaledObjects have no \`tolerance\``;
    return { finding: fail("keda", name, what, "upgrade KEDA: 2.21 is what is tested"), version };
  } catch (error) {
    return { finding: notChecked("keda", name, error, "install KEDA 2.21 or later"), version: null };
  }
}

async function checkApiService(client: KubernetesClient): Promise<Finding> {
  const name = "v1beta1.external.metrics.k8s.io";
  const where = `apiservice ${name}`;
  try {
    const { spec, status } = apiServiceSchema.parse(await client.get(RESOURCES.apiServices, null, name));
    const owner = spec.service ? `${spec.service.namespace}/${spec.service.name}` : "nobody";
    // Another adapter may live in KEDA's namespace.
    if (!/keda/.test(spec.service?.name ?? ""))
      return fail(
        "external-metrics",
        where,
        `belongs to ${owner}: HPAs ask it and not KEDA, and KEDA's fallback never comes in`,
        "let KEDA's metrics server have the APIService: remove the other adapter's, or install KEDA again",
      );
    const available = status?.conditions?.find(({ type }) => type === "Available");
    if (available?.status !== "True")
      return fail(
        "external-metrics",
        where,
        `is not available: ${available?.message ?? "nobody has looked at it"}`,
        `see the pods and the log of ${owner}`,
      );
    return ok("external-metrics", where, `belongs to ${owner}`);
  } catch (error) {
    return notChecked("external-metrics", where, error, "install KEDA with its metrics server");
  }
}

/** What is not there is a failure; what may not be looked at is none. */
export function notChecked(check: string, where: string, error: unknown, fixWhereMissing: string): Finding {
  const { code, message } = VariscaleError.from(error);
  if (code === "not_found") return fail(check, where, "is not there", fixWhereMissing);
  const fix =
    code === "failed_precondition" ? "run it as a user who may, or leave this check" : "see the message, and try again";
  return warn(check, where, `could not be checked: ${message}`, fix);
}
