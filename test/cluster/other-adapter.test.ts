import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { after, before, describe, it } from "mocha";
import { ADDRESS } from "./support/addresses.ts";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "adapters", name: "cards", stages: ["detect"] } as const;
const API = "v1beta1.external.metrics.k8s.io";

describe("another adapter of external metrics", () => {
  let scaler: ScalerProcess;
  let detect: Target;
  let adapter: Server;

  before(async () => {
    const cluster = theCluster();
    adapter = await startOtherAdapter();
    scaler = await ScalerProcess.start(cluster, [SHOP]);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(cluster, { namespace: "adapters", name: "detect", metadata });
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
    adapter.closeAllConnections();
    adapter.close();
  });

  it("T25: that owns the API keeps stages from their counts; doctor says so, and without it they follow", async () => {
    const { api, audit } = theCluster();
    const firstMs = await scaler.pin(SHOP, "detect", 6);
    await detect.expectReplicas(6, 2, firstMs);
    assert.equal(findingOf(await findingsIn("adapters"), "external-metrics").kind, "ok");
    const { service } = (await api.get("APIService", "", API)).spec;
    try {
      await api.merge("APIService", "", API, { spec: { service: { name: "adapter", namespace: "adapters" } } });
      const notFound = () => audit.syncs("adapters", "detect", firstMs).some(({ status }) => status === 404);
      await until(notFound, "the HPA asks the other adapter");
      await scaler.pin(SHOP, "detect", 9);
      await detect.expectHeld(6, 2);
      const found = findingOf(await findingsIn("adapters"), "external-metrics");
      assert.equal(found.kind, "fail");
      assert.match(found.what, /adapters\/adapter/);
    } finally {
      await api.merge("APIService", "", API, { spec: { service } });
    }
    await theCluster().untilKedaAnswers();
    const answered = () => audit.syncs("adapters", "detect", firstMs).at(-1)?.status === 200;
    await until(answered, "the HPA asks KEDA again");
    await detect.expectReplicas(9, 2, Date.now());
  });
});

/** It has the API, and none of KEDA's metrics. */
async function startOtherAdapter(): Promise<Server> {
  const { api, pki } = theCluster();
  const [name, namespace] = ["adapter", "adapters"];
  pki.certificate("other-adapter", "ca", "/CN=other-adapter", [`DNS:${name}.${namespace}.svc`]);
  const files = { cert: readFileSync(pki.file("other-adapter.crt")), key: readFileSync(pki.file("other-adapter.key")) };
  const groupVersion = "external.metrics.k8s.io/v1beta1";
  const server = createServer(files, (request, response) => {
    const isList = request.url?.split("?")[0] === `/apis/${groupVersion}`;
    const body = isList
      ? { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: [] }
      : { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 };
    response.writeHead(isList ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>(resolve => server.listen(6443, ADDRESS.otherAdapter, resolve));
  await api.apply(
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: [{ port: 443, targetPort: 6443 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ port: 6443, protocol: "TCP", name: "" }],
      endpoints: [{ addresses: [ADDRESS.otherAdapter], conditions: { ready: true } }],
    },
  );
  return server;
}
