import assert from "node:assert/strict";
import { examine } from "../../../cli/doctor/doctor.ts";
import type { Finding } from "../../../cli/doctor/finding.ts";
import { findKubernetes } from "../../../runtime/find-kubernetes.ts";
import { KubernetesClient } from "../../../runtime/kubernetes.ts";
import { theCluster } from "./hooks.ts";

/** What `variscale doctor` finds in a namespace. */
export async function findingsIn(namespace: string): Promise<readonly Finding[]> {
  const client = new KubernetesClient(findKubernetes({ env: { KUBECONFIG: theCluster().kubeconfig }, context: null }));
  try {
    const where = { client, pipeline: null, namespace, kedaNamespace: "keda" };
    return await examine({ ...where, scaler: null, scalerPair: null, nowMs: Date.now() });
  } finally {
    client.close();
  }
}

/** The one finding of a check, of one object where its name is given. */
export function findingOf(findings: readonly Finding[], check: string, name = ""): Finding {
  const found = findings.find(finding => finding.check === check && finding.where.includes(name));
  return found ?? assert.fail(`doctor said nothing of ${check} ${name}: ${JSON.stringify(findings)}`);
}
