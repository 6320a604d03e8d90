import { z } from "zod";
import type { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { notChecked } from "./check-cluster.ts";
import type { ScalerTls } from "./check-scaler.ts";
import { ourTrigger, type ScaledObject } from "./cluster-objects.ts";
import type { Finding } from "./finding.ts";

const authenticationSchema = z.looseObject({
  spec: z.looseObject({
    secretTargetRef: z.array(z.looseObject({ parameter: z.string(), name: z.string(), key: z.string() })).nullish(),
  }),
});

const secretSchema = z.looseObject({ data: z.record(z.string(), z.string()).nullish() });

export interface TriggerTls {
  /** Null: plaintext. */
  readonly tls: ScalerTls | null;
  readonly where: string;
  readonly findings: readonly Finding[];
}

/**
 * How KEDA connects for a ScaledObject: the certificates of its TriggerAuthentication, read from their Secrets. TLS is on where any
 * of them is there, or with `enableTLS`.
 *
 * @param kedaNamespace where Secrets of a ClusterTriggerAuthentication are.
 */
export async function readTriggerTls(
  client: KubernetesClient,
  scaledObject: ScaledObject,
  kedaNamespace: string,
): Promise<TriggerTls> {
  const trigger = ourTrigger(scaledObject);
  const isEnabled = trigger?.metadata["enableTLS"] === "true";
  const ref = trigger?.authenticationRef;
  const plain = { tls: isEnabled ? { pair: null, ca: null } : null, where: "", findings: [] };
  if (!ref) return plain;
  const isCluster = ref.kind === "ClusterTriggerAuthentication";
  const namespace = isCluster ? null : scaledObject.metadata.namespace;
  const where = `${isCluster ? "cluster" : ""}triggerauthentication ${namespace === null ? "" : `${namespace}/`}${ref.name}`;
  try {
    const resource = isCluster ? RESOURCES.clusterTriggerAuthentications : RESOURCES.triggerAuthentications;
    const { spec } = authenticationSchema.parse(await client.get(resource, namespace, ref.name));
    const values: Record<string, string> = {};
    for (const { parameter, name, key } of spec.secretTargetRef ?? []) {
      const { data } = secretSchema.parse(await client.get(RESOURCES.secrets, namespace ?? kedaNamespace, name));
      const value = data?.[key];
      if (value !== undefined) values[parameter] = Buffer.from(value, "base64").toString("utf8");
    }
    const { caCert, tlsClientCert, tlsClientKey } = values;
    if (!caCert && !tlsClientCert && !tlsClientKey) return { ...plain, where };
    const pair =
      tlsClientCert || tlsClientKey ? { certificate: tlsClientCert ?? "", key: tlsClientKey ?? "", ca: null } : null;
    return { tls: { pair, ca: caCert ?? null }, where, findings: [] };
  } catch (error) {
    const finding = notChecked(
      "tls-pair",
      where,
      error,
      "create it with its Secret; `variscale manifests --tls-secret` writes it",
    );
    return { ...plain, where, findings: [finding] };
  }
}
