import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS, SERVICE_OF_API } from "../addresses.ts";
import type { Cluster } from "../cluster.ts";
import { Program } from "../program.ts";
import { NodeAgent } from "./node-agent.ts";
import { NODE_ADDRESS, POD_RANGE } from "./pod-network.ts";

const NAME = "node-2";
/** One that only the test's namespaces see. */
const RESOLV_CONF = "/etc/resolv.conf";
const LABEL = "variscale.dev/pods";
const VALUE = "run";

/** What a pod must have to be placed there; no other is. */
export const ON_REAL_NODE = {
  nodeSelector: { [LABEL]: VALUE },
  tolerations: [{ key: LABEL, operator: "Exists" }],
} as const;

/** A node whose pods really run, with kube-proxy for Services and CoreDNS for names. */
export interface RealNode {
  readonly agent: NodeAgent;
  close(): Promise<void>;
}

export async function startRealNode(cluster: Cluster): Promise<RealNode> {
  const { api, tools, folder, kubeconfig } = cluster;
  // Packets of pods pass the node.
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  await addNode(cluster);
  const program = (name: string, command: string, args: readonly string[]) =>
    new Program({ name, command, args, logFile: join(folder, "log", name), env: PROXY_ENV });
  const proxy = program("kube-proxy", join(tools.kubernetes, "bin/kube-proxy"), proxyArgs(kubeconfig));
  const corefile = join(folder, "Corefile");
  writeFileSync(corefile, COREFILE.replace("KUBECONFIG", kubeconfig));
  const names = program("coredns", join(tools.coredns, "bin/coredns"), ["-conf", corefile]);
  const agent = new NodeAgent(NAME, {
    api,
    folder: join(folder, "pods"),
    logFolder: join(folder, "log"),
    nameServer: ADDRESS.names,
    apiAddress: SERVICE_OF_API,
  });
  const close = async (): Promise<void> => {
    await agent.close();
    await names.stop();
    await proxy.stop();
    await api.delete("Node", "", NAME);
    writeFileSync(RESOLV_CONF, "");
  };
  try {
    for (const next of [proxy, names]) next.start();
    await proxy.until(() => isHealthy(`http://${ADDRESS.proxy}:10256/healthz`), "healthy");
    await names.until(() => isHealthy(`http://${ADDRESS.names}:8181/ready`), "ready");
  } catch (error) {
    await close();
    throw error;
  }
  // The control plane finds Services of pods by name.
  writeFileSync(RESOLV_CONF, `nameserver ${ADDRESS.names}\n`);
  agent.start();
  return { agent, close };
}

/** iptables are found also where the user's PATH leaves them out. */
const PROXY_ENV = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };

const COREFILE = `. {
  bind ${ADDRESS.names}
  errors
  ready ${ADDRESS.names}:8181
  kubernetes cluster.local {
    kubeconfig KUBECONFIG
  }
}
`;

async function addNode({ api }: Cluster): Promise<void> {
  const amount = { cpu: "64", memory: "64Gi", pods: "500" };
  await api.apply({
    ...{ apiVersion: "v1", kind: "Node" },
    metadata: { name: NAME, labels: { "kubernetes.io/hostname": NAME, [LABEL]: VALUE } },
    spec: { taints: [{ key: LABEL, effect: "NoSchedule" }] },
  });
  const addresses = [{ type: "InternalIP", address: NODE_ADDRESS }];
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { allocatable: amount, capacity: amount, addresses, conditions };
  await api.applyAt(
    `/api/v1/nodes/${NAME}/status`,
    JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: NAME }, status }),
  );
}

function proxyArgs(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${NAME}`,
    "--proxy-mode=iptables",
    `--cluster-cidr=${POD_RANGE}`,
    `--healthz-bind-address=${ADDRESS.proxy}:10256`,
    `--metrics-bind-address=${ADDRESS.proxy}:10249`,
    // The kernel's settings for all namespaces stay as they are.
    "--conntrack-max-per-core=0",
    "--conntrack-min=0",
    "--conntrack-tcp-timeout-established=0s",
    "--conntrack-tcp-timeout-close-wait=0s",
    "--iptables-localhost-nodeports=false",
  ];
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
