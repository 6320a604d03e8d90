import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, it } from "mocha";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";
import { NamedProxy } from "../../scaler/support/named-proxy.ts";
import { RunningScaler } from "../../scaler/support/running-scaler.ts";
import { refuse } from "../../support/kubernetes-api.ts";
import { CLIENT_PAIR, SERVER_PAIR, TEST_CA } from "../../support/kubernetes-certificates.ts";
import { examinedCluster, only, PIPELINE } from "./examined-cluster.ts";

const AUTHENTICATIONS = "/apis/keda.sh/v1alpha1/triggerauthentications";
const SECRETS = "/api/v1/secrets";

describe("doctor, of the scaler", () => {
  const cluster = examinedCluster();

  it("says what the scaler refuses, and that nobody answers", async () => {
    cluster.trigger.metadata.stage = "blur";
    const refused = await cluster.run();
    assert.match(only(refused, "scaler").what, /refuses shop\/cards-detect: .*no stage `blur`/);
    cluster.trigger.metadata.stage = "detect";
    cluster.trigger.metadata.scalerAddress = "127.0.0.1:1";
    await cluster.wrong("scaler", "fail", /does not answer/);
    cluster.trigger.metadata.scalerAddress = "scaler.no-such-namespace.svc.cluster.local:6000";
    await cluster.wrong("scaler", "warn", /known in the cluster alone/);
    for (const address of [
      "scaler:6000",
      "scaler.shop:6000",
      "scaler.keda:6000",
      "scaler.no-such-namespace.svc:6000",
      "scaler-0.scaler.shop.svc:6000",
    ]) {
      cluster.trigger.metadata.scalerAddress = address;
      await cluster.wrong("scaler", "warn", /known in the cluster alone/);
    }
    // As a public host's name that is misspelt.
    cluster.trigger.metadata.scalerAddress = "scaler.no-such-namespace:6000";
    const unknown = await cluster.run();
    assert.equal(only(unknown, "scaler").kind, "fail");
    assert.match(only(unknown, "scaler").what, /does not answer/);
  });

  it("takes a name server that does not answer in time for a name that only the cluster knows", async () => {
    const silent = createSocket("udp4").bind(0, "127.0.0.1");
    await once(silent, "listening");
    let asked = 0;
    silent.on("message", () => asked++);
    try {
      const server = `127.0.0.1:${silent.address().port}`;
      const module = new URL("../../../cli/doctor/check-scaler.js", import.meta.url);
      cluster.trigger.metadata.scalerAddress = `dns://${server}/scaler.shop.svc.cluster.local:6000`;
      const object = JSON.stringify(cluster.objects.scaledObject);
      const code = `import { checkScaler } from "${module}"; console.log(JSON.stringify(await checkScaler(${object}, null, new Set())));`;
      // gRPC asks a name server by itself only where it is told so before it is loaded.
      const env = { ...process.env, GRPC_NODE_USE_ALTERNATIVE_RESOLVER: "true" };
      const child = spawn(process.execPath, ["--input-type=module", "-e", code], { env });
      const [said] = await Promise.all([text(child.stdout), once(child, "exit")]);
      const [found] = JSON.parse(said) as Finding[];
      assert.match(found?.what ?? "", /known in the cluster alone/);
      assert.equal(found?.kind, "warn");
      assert.ok(asked > 0);
    } finally {
      silent.close();
    }
  });

  it("checks the certificates that KEDA presents and the scaler's own", async () => {
    cluster.api.put(AUTHENTICATIONS, {
      metadata: { namespace: "shop", name: "tls" },
      spec: {
        secretTargetRef: ["caCert:ca.crt", "tlsClientCert:tls.crt", "tlsClientKey:tls.key"].map(pair => {
          const [parameter, key] = pair.split(":");
          return { parameter, key, name: "keda-tls" };
        }),
      },
    });
    const encode = (text: string) => Buffer.from(text).toString("base64");
    const secret = (key: string) => ({
      metadata: { namespace: "shop", name: "keda-tls" },
      data: { "ca.crt": encode(TEST_CA), "tls.crt": encode(CLIENT_PAIR.certificate), "tls.key": encode(key) },
    });
    cluster.trigger.authenticationRef = { name: "tls" };
    cluster.api.put(SECRETS, secret(SERVER_PAIR.key));
    const halves = await cluster.run();
    assert.match(only(halves, "tls-pair").what, /key is not the certificate's/);
    // The scaler of this test speaks no TLS.
    assert.equal(only(halves, "scaler").kind, "fail");
    cluster.api.put(SECRETS, secret(CLIENT_PAIR.key));
    const scalerPair = { ...SERVER_PAIR, ca: TEST_CA, where: "/tls" };
    const right = await cluster.run({ scalerPair });
    assert.ok(right.filter(({ check }) => check.startsWith("tls-")).every(({ kind }) => kind === "ok"));
    assert.ok(right.some(({ check, what }) => check === "tls-name" && /127\.0\.0\.1/.test(what)));
    const late = await cluster.run({ scalerPair, nowMs: Date.parse("2226-01-01") });
    assert.equal(late.filter(({ check, kind }) => check === "tls-expiry" && kind === "fail").length, 2);
    cluster.trigger.metadata.scalerAddress = "elsewhere.example:6000";
    const other = await cluster.run({ scalerPair });
    assert.match(only(other, "tls-name").what, /not valid for elsewhere\.example/);
    cluster.api.remove(SECRETS, "shop", "keda-tls");
    assert.equal(only(await cluster.run(), "tls-pair").kind, "fail");
  });

  it("shows the token to --scaler-url alone, and says in the scaler's words why it can't be read", async () => {
    const token = "a-token-of-the-scaler";
    const closed = await RunningScaler.start({ pipelines: [PIPELINE], token });
    const proxy = await NamedProxy.start(closed);
    try {
      const refused = only(await cluster.run({ scaler: { url: proxy.url, token: null } }), "scaler-http");
      assert.match(refused.what, /401 on a loopback address the Host header must be localhost/);
      const read = await cluster.run({ scaler: { url: proxy.url, token } });
      assert.ok(
        read.some(({ check }) => check === "metrics-source"),
        formatFindings(read),
      );
    } finally {
      await proxy.close();
      await closed.close();
    }
  });

  it("reads what the scaler says of itself through the API server, where only the cluster knows its name", async () => {
    cluster.trigger.metadata.scalerAddress = "variscale-scaler.shop.svc.cluster.local:6000";
    const service = "/api/v1/namespaces/shop/services/variscale-scaler:8080/proxy";
    const asked: string[] = [];
    cluster.api.intercept = ({ path }, response) => {
      if (!path.startsWith(service)) return false;
      asked.push(path.slice(service.length));
      void fetch(cluster.running.url(path.slice(service.length))).then(async answer => {
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      });
      return true;
    };
    const findings = await cluster.run({ scaler: null });
    assert.equal(only(findings, "metrics-source").kind, "ok", formatFindings(findings));
    assert.deepEqual(asked, ["/api/v1/pipelines", "/api/v1/pipelines/shop/cards"]);
    cluster.api.intercept = ({ path }, response) =>
      path.startsWith(service) && refuse(response, 503, "ServiceUnavailable", "no endpoints available");
    const away = only(await cluster.run({ scaler: null }), "scaler-http");
    assert.equal(away.kind, "warn");
    assert.match(away.what, /no list of pipelines: 503/);
    assert.match(away.fix ?? "", /port-forward/);
  });

  it("says that the load source gives nothing", async () => {
    const away = await RunningScaler.start({ pipelines: [PIPELINE] });
    try {
      away.gateway.answer = response => response.writeHead(503).end();
      for (let second = 0; second < 3; second++) await away.clock.advance(1000);
      const scaler = { url: away.url(""), token: null };
      await cluster.wrong("metrics-source", "fail", /no load comes: .*503/, { scaler });
    } finally {
      await away.close();
    }
  });

  it("says that pipelines of the cluster are not followed, and by what they would be", async () => {
    cluster.api.collections.add("/api/v1/configmaps");
    const from = { objects: true, configMaps: false, scaledObjects: false };
    const watchedPipelines = { config: cluster.api.config(), namespaces: ["shop"], ...from };
    const without = await RunningScaler.start({ pipelines: [PIPELINE], watchedPipelines });
    try {
      await without.planFor(20);
      while ((await fetch(without.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
      const scaler = { url: without.url(""), token: null };
      await cluster.wrong("pipeline-sources", "warn", /InferencePipelines are not watched: .*manifests --crd/, {
        scaler,
      });
    } finally {
      await without.close();
    }
  });
});
