import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";

interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Asks for a token of a service account, as the kubelet does. @param spec of the TokenRequest. */
export async function tokenOf({ api }: Cluster, { namespace, name }: Account, spec: object = {}): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
  const { status, body } = await api.call("POST", path, asked);
  assert.equal(status, 201, JSON.stringify(body));
  return body.status.token;
}

/** Writes a kubeconfig with a token of the service account, as a pod has one. */
export async function kubeconfigOf(cluster: Cluster, account: Account): Promise<string> {
  const config = JSON.parse(readFileSync(cluster.kubeconfig, "utf8"));
  config.users[0].user = { token: await tokenOf(cluster, account) };
  const file = join(cluster.folder, `kubeconfig-${account.namespace}-${account.name}`);
  writeFileSync(file, JSON.stringify(config));
  return file;
}
