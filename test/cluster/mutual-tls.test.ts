import assert from "node:assert/strict";
import { connect } from "node:tls";
import { after, before, describe, it } from "mocha";
import { TestAuthority, type TlsFiles } from "../support/certificates.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target, type TargetOptions } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "mutual-tls", name: "cards", stages: ["detect"] } as const;
const authority = new TestAuthority("authority");
const keda = authority.issue("keda");
const METRIC =
  "/apis/external.metrics.k8s.io/v1beta1/namespaces/mutual-tls/s0-variscale-cards-detect" +
  "?labelSelector=scaledobject.keda.sh%2Fname%3Ddetect";

describe("mutual TLS with KEDA", () => {
  let scaler: ScalerProcess;
  let secret: SecretFolder;
  let host: string;
  let detect: Target;

  const metadata = () => ({ scalerAddress: scaler.address, pipeline: "cards", stage: "detect", enableTLS: "true" });
  const create = (options: Partial<TargetOptions>, hpa = true) =>
    Target.create(theCluster(), { namespace: "mutual-tls", name: "detect", metadata: metadata(), ...options }, { hpa });
  const answered = async () => (await scaler.calls("GetMetrics"))["OK"] ?? 0;

  before(async () => {
    const { api } = theCluster();
    scaler = await ScalerProcess.start(theCluster(), [SHOP], {
      tlsFolder: given => {
        host = given;
        secret = new SecretFolder(authority.issue("scaler", { hosts: [host] }));
        return secret.path;
      },
    });
    await api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "mutual-tls" } });
    await api.apply(...clientOf("keda-client", keda));
    await api.apply(
      ...clientOf("stranger", { ...new TestAuthority("stranger").issue("keda"), "ca.crt": keda["ca.crt"] }),
    );
    detect = await create({ authentication: "keda-client" });
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
    secret.remove();
  });

  it("gives exact counts to a KEDA that has a certificate", async () => {
    for (const replicas of [20, 21, 5]) {
      const sinceMs = await scaler.pin(SHOP, "detect", replicas);
      await detect.expectReplicas(replicas, 2, sinceMs);
    }
  });

  it("gives none to one that has no certificate, or that of another authority", async () => {
    const without = { ...metadata(), enableTLS: "false" };
    const refused = [
      await create({ name: "plaintext", metadata: without }, false),
      await create({ name: "stranger", authentication: "stranger" }, false),
    ];
    for (const target of refused) {
      const failed = async () =>
        (await target.scaledObject()).status?.conditions?.some(
          (condition: Json) => condition.type === "Ready" && condition.status === "False",
        );
      await until(failed, `${target.name} is not ready`);
      assert.equal(await target.hpa(), null);
      await target.remove();
    }
  });

  it("renews the scaler's certificate under load: no stream ends, no call fails, and counts follow", async () => {
    const { api, kedaOperator, audit } = theCluster();
    await until(async () => (await scaler.streams()) === 2, "KEDA's streams are open");
    const written = kedaOperator.log().length;
    const startMs = Date.now();
    const load = new AbortController();
    const asking = (async () => {
      while (!load.signal.aborted) {
        const { status, body } = await api.call("GET", METRIC);
        assert.equal(status, 200, JSON.stringify(body));
        assert.match(body.items[0].value, /^\d+$/);
      }
    })();
    const shown = await shownBy(host);
    try {
      for (const _ of [1, 2]) {
        const before = await shownBy(host);
        secret.swap(authority.issue("scaler", { hosts: [host] }));
        await until(async () => (await shownBy(host)) !== before, "the new certificate is in use");
        const calls = await answered();
        await until(async () => (await answered()) > calls + 20, "calls go on");
      }
    } finally {
      load.abort();
    }
    await asking;
    assert.notEqual(await shownBy(host), shown);
    const sinceMs = await scaler.pin(SHOP, "detect", 12);
    await detect.expectReplicas(12, 2, sinceMs);
    assert.deepEqual(Object.keys(await scaler.calls("GetMetrics")), ["OK"]);
    assert.equal(await scaler.streams(), 2);
    assert.doesNotMatch(kedaOperator.log().slice(written), /Stream(IsActive|MetricSpec)[^\n]*mutual-tls/);
    assert.ok(audit.syncs("mutual-tls", "detect", startMs).every(({ status }) => status === 200));
  });

  it("is taken up by KEDA with the new certificate when the scaler is another process", async () => {
    await scaler.program.stop("SIGKILL");
    secret.swap(authority.issue("scaler", { hosts: [host] }));
    scaler.program.start();
    await scaler.untilPlanned();
    const sinceMs = await scaler.pin(SHOP, "detect", 13);
    await detect.expectReplicas(13, 2, sinceMs);
  });
});

/** What KEDA shows, as its documentation has it: a Secret, and a TriggerAuthentication that reads it. */
function clientOf(name: string, files: TlsFiles): Json[] {
  const namespace = "mutual-tls";
  const parameter = (of: string, key: string) => ({ parameter: of, name, key });
  return [
    { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, type: "kubernetes.io/tls", stringData: files },
    {
      apiVersion: "keda.sh/v1alpha1",
      kind: "TriggerAuthentication",
      metadata: { name, namespace },
      spec: {
        secretTargetRef: [
          parameter("caCert", "ca.crt"),
          parameter("tlsClientCert", "tls.crt"),
          parameter("tlsClientKey", "tls.key"),
        ],
      },
    },
  ];
}

/** The fingerprint of the certificate that a new connection to KEDA's port is shown. */
function shownBy(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = { cert: keda["tls.crt"], key: keda["tls.key"], ca: keda["ca.crt"] };
    const socket = connect({ host, port: 6000, ALPNProtocols: ["h2"], ...client }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
