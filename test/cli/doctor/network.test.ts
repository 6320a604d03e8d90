import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { RESOURCES, resourcePath } from "../../../runtime/kubernetes-resource.ts";
import { type KubernetesObject, refuse } from "../../support/kubernetes-api.ts";
import { DEPLOYMENTS, examinedCluster, PODS } from "./examined-cluster.ts";

const POLICIES = resourcePath(RESOURCES.networkPolicies, null, null);
const SERVICES = resourcePath(RESOURCES.services, null, null);
const NAMESPACES = resourcePath(RESOURCES.namespaces, null, null);

const KEDA = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "keda" } } };
const OPERATOR = { ...KEDA, podSelector: { matchLabels: { app: "keda-operator" } } };
const SWITCHERS = { podSelector: { matchLabels: { app: "cards-detect" } } };

describe("doctor of network policies", () => {
  const cluster = examinedCluster();

  /** The scaler runs in namespace `shop` as the chart installs it, and KEDA in its own. */
  function install(): void {
    const { api, objects } = cluster;
    cluster.trigger.metadata.scalerAddress = "variscale-scaler.shop.svc.cluster.local:6000";
    objects.deployment.spec.template = {
      metadata: { labels: { app: "cards-detect" } },
      spec: { containers: [{ name: "switcher", args: ["switcher"] }] },
    };
    api.put(SERVICES, {
      metadata: { namespace: "shop", name: "variscale-scaler" },
      spec: { selector: { app: "scaler" }, ports: [{ port: 6000, targetPort: "grpc-keda" }] },
    });
    const ports = [
      { name: "grpc-keda", containerPort: 6000 },
      { name: "grpc-switchers", containerPort: 6001 },
    ];
    api.put(PODS, {
      metadata: { namespace: "shop", name: "scaler-0", labels: { app: "scaler" } },
      spec: { containers: [{ name: "scaler", ports }] },
    });
    api.put(DEPLOYMENTS, {
      metadata: { namespace: "keda", name: "keda-operator" },
      spec: {
        template: { metadata: { labels: { app: "keda-operator" } }, spec: { containers: [{ image: "keda:2.21.0" }] } },
      },
      status: { readyReplicas: 1 },
    });
    api.collections.add(POLICIES);
    api.collections.add(NAMESPACES);
  }

  function addPolicy(name: string, spec: object, namespace = "shop"): void {
    cluster.api.put(POLICIES, { metadata: { namespace, name }, spec } as KubernetesObject);
  }

  /** Tells of KEDA's operator and of switchers whether they get in: "ok", or the policies that keep them out. */
  async function findWays(): Promise<readonly string[]> {
    const findings = (await cluster.run()).filter(({ check }) => check === "network-policy");
    return findings.map(({ kind, what }) => (kind === "fail" ? what.replace(/^.*: /, "") : kind));
  }

  it("is silent of a scaler that is not in the cluster, or has no pods", async () => {
    assert.deepEqual(await findWays(), []);
    install();
    cluster.api.remove(PODS, "shop", "scaler-0");
    assert.deepEqual(await findWays(), []);
  });

  it("finds both ways open without policies, and closed by those that are of all pods", async () => {
    install();
    assert.deepEqual(await findWays(), ["ok", "ok"]);
    addPolicy("of-others", { podSelector: { matchLabels: { app: "web" } } });
    addPolicy("elsewhere", { podSelector: {} }, "web");
    assert.deepEqual(await findWays(), ["ok", "ok"]);
    addPolicy("all", { podSelector: {} });
    assert.deepEqual(await findWays(), ["shop/all", "shop/all"]);
    const [keda] = (await cluster.run()).filter(({ check }) => check === "network-policy");
    assert.match(keda?.what ?? "", /^KEDA's operator \(deployment keda\/keda-operator\) can't reach port 6000/);
    assert.match(keda?.fix ?? "", /networkPolicy\.kedaNamespaceSelector/);
  });

  it("adds up what policies let in: by namespace and pod, by name and number of the port, and by address blocks, which it can't judge", async () => {
    install();
    addPolicy("all", { podSelector: {}, policyTypes: ["Ingress"] });
    const lets = async (from: readonly object[], ports: readonly object[] | undefined) => {
      addPolicy("scaler", { podSelector: { matchLabels: { app: "scaler" } }, ingress: [{ from, ports }] });
      return (await findWays()).map(way => way === "ok");
    };
    assert.deepEqual(await lets([OPERATOR], [{ port: "grpc-keda" }]), [true, false]);
    assert.deepEqual(await lets([OPERATOR, SWITCHERS], undefined), [true, true]);
    assert.deepEqual(await lets([KEDA], [{ port: 6000, endPort: 6001 }]), [true, false]);
    assert.deepEqual(await lets([SWITCHERS], [{ port: 6001 }]), [false, true]);
    assert.deepEqual(await lets([OPERATOR], [{ port: "grpc-switchers" }]), [false, false]);
    assert.deepEqual(await lets([OPERATOR], [{ port: 6000, protocol: "UDP" }]), [false, false]);
    assert.deepEqual(await lets([{ podSelector: OPERATOR.podSelector }], undefined), [false, false]);
    assert.deepEqual(await lets([{ ipBlock: { cidr: "10.0.0.0/8" } }], undefined), [true, true]);
    cluster.api.put(NAMESPACES, { metadata: { name: "keda", labels: { team: "platform" } } });
    assert.deepEqual(await lets([{ namespaceSelector: { matchLabels: { team: "platform" } } }], []), [true, false]);
  });

  it("looks at what may go out of KEDA's namespace and of the switchers' as well", async () => {
    install();
    addPolicy("no-way-out", { podSelector: {}, policyTypes: ["Egress"] }, "keda");
    assert.deepEqual(await findWays(), ["keda/no-way-out", "ok"]);
    const to = [{ namespaceSelector: {}, podSelector: { matchLabels: { app: "scaler" } } }];
    addPolicy("to-scalers", { podSelector: {}, policyTypes: ["Egress"], egress: [{ to }] }, "keda");
    assert.deepEqual(await findWays(), ["ok", "ok"]);
    addPolicy("dns-alone", { podSelector: {}, egress: [{ ports: [{ port: 53 }] }], policyTypes: ["Egress"] });
    assert.deepEqual(await findWays(), ["ok", "shop/dns-alone"]);
  });

  it("says so where it may not read the policies", async () => {
    install();
    cluster.api.intercept = ({ path }, response) =>
      path.endsWith("/networkpolicies") && refuse(response, 403, "Forbidden", "no");
    const [found] = (await cluster.run()).filter(({ check }) => check === "network-policy");
    assert.deepEqual([found?.kind, /could not be checked/.test(found?.what ?? "")], ["warn", true]);
  });
});
