import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect, createSecureContext, type SecureContextOptions } from "node:tls";
import { type ChannelCredentials, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import { HANDSHAKE_WITHIN_MS } from "../../runtime/tls-material.ts";
import { TestAuthority, type TlsFiles } from "../support/certificates.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { KedaClient, Received, RunningScaler, refOf } from "./support/running-scaler.ts";

const logger = createLogger("test", "silent");
const authority = new TestAuthority("authority");
const first = authority.issue("scaler");
const second = authority.issue("scaler");
const keda = authority.issue("keda");
const stranger = new TestAuthority("stranger").issue("keda");

function contextOf(files: TlsFiles): SecureContextOptions {
  return { cert: files["tls.crt"], key: files["tls.key"], ca: authority.certificate };
}

function credentialsOf(files: TlsFiles): ChannelCredentials {
  return credentials.createFromSecureContext(createSecureContext(contextOf(files)));
}

/** Opens one connection: the fingerprint of the certificate that was shown, or how it was refused. */
function connectTo(port: number, context: SecureContextOptions): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host: "127.0.0.1", port, ALPNProtocols: ["h2"], ...context });
    socket.on("close", () => resolve("closed"));
    socket.on("error", error => resolve((error as NodeJS.ErrnoException).code ?? error.message));
    // With TLS 1.3 the server's verdict on the client comes after the handshake: its first bytes are its answer.
    socket.once("data", () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
  });
}

describe("mutual TLS", () => {
  let secret: SecretFolder;
  let tls: TlsFolder;
  let running: RunningScaler;
  const clients: KedaClient[] = [];

  beforeEach(async () => {
    secret = new SecretFolder(first);
    tls = await TlsFolder.open({ folder: secret.path, logger, checkEveryMs: 2 });
    running = await RunningScaler.start({ tls });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.raw.close();
    await running.close();
    tls.close();
    secret.remove();
  });

  const client = (secured: ChannelCredentials = credentialsOf(keda)): KedaClient => {
    const made = new KedaClient(running.scaler.ports.keda, secured);
    clients.push(made);
    return made;
  };

  it("ends without waiting for who never says who it is", async () => {
    const socket = connectTcp(running.scaler.ports.keda, "127.0.0.1").on("error", () => undefined);
    await once(socket, "connect");
    const fromMs = performance.now();
    await running.scaler.close();
    assert.ok(performance.now() - fromMs < HANDSHAKE_WITHIN_MS - 1000, "the handshake's limit had to end it");
    socket.destroy();
  });

  it("answers who has a certificate of the authority, and nobody else", async () => {
    assert.equal((await client().spec(refOf())).metricSpecs.length, 1);
    const root = Buffer.from(authority.certificate);
    const refused = [credentials.createInsecure(), credentials.createSsl(root), credentialsOf(stranger)];
    for (const secured of refused) await assert.rejects(client(secured).spec(refOf()), { code: status.UNAVAILABLE });
  });

  it("holds on both ports, from TLS 1.2 on", async () => {
    const { fingerprint } = tls.material;
    for (const port of [running.scaler.ports.keda, running.scaler.ports.switchers]) {
      assert.equal(await connectTo(port, contextOf(keda)), fingerprint);
      assert.equal(await connectTo(port, { ...contextOf(keda), maxVersion: "TLSv1.2" }), fingerprint);
      assert.match(await connectTo(port, contextOf(stranger)), /^(closed|E.*)$/);
      const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
      assert.match(await connectTo(port, { ...contextOf(keda), ...old }), /ALERT_PROTOCOL_VERSION/);
    }
  });

  it("renews certificates under load: no stream ends and no call fails", async () => {
    const held = client();
    const streams = [held.raw.StreamIsActive(refOf()), held.raw.StreamMetricSpec(refOf())].map(s => new Received(s));
    await until(() => streams.every(stream => stream.messages.length > 0), "open");
    let calls = 0;
    let stopped = false;
    const ask = async (next: () => KedaClient): Promise<void> => {
      while (!stopped) {
        const asked = next();
        assert.equal((await asked.spec(refOf())).metricSpecs.length, 1);
        if (asked !== held) asked.raw.close();
        calls += 1;
      }
    };
    const load = [ask(() => held), ask(() => client()), ask(() => client())];
    for (const files of [second, first, second]) {
      const before = calls;
      await until(() => calls > before + 20, "under load");
      const { fingerprint } = tls.material;
      secret.swap(files);
      await until(() => tls.material.fingerprint !== fingerprint, "renewed");
      assert.equal(await connectTo(running.scaler.ports.keda, contextOf(keda)), tls.material.fingerprint);
      const after = calls;
      await until(() => calls > after + 20, "under load with the new ones");
    }
    stopped = true;
    await Promise.all(load);
    assert.ok(streams.every(stream => stream.ended === null));
    assert.equal((await held.spec(refOf())).metricSpecs.length, 1);
  });

  it("changes the authority: who has only the old one is refused from then on, but not cut", async () => {
    const held = client();
    const stream = new Received(held.raw.StreamIsActive(refOf()));
    await until(() => stream.messages.length > 0, "open");
    const next = new TestAuthority("next");
    const { fingerprint } = tls.material;
    secret.swap(next.issue("scaler"));
    await until(() => tls.material.fingerprint !== fingerprint, "renewed");
    const newcomer = { ...contextOf(next.issue("keda")), ca: next.certificate };
    assert.equal(await connectTo(running.scaler.ports.keda, newcomer), tls.material.fingerprint);
    assert.match(
      await connectTo(running.scaler.ports.keda, { ...contextOf(keda), ca: next.certificate }),
      /^(closed|E.*)$/,
    );
    assert.equal((await held.spec(refOf())).metricSpecs.length, 1);
    assert.equal(stream.ended, null);
  });

  it("keeps the last good pair while another is half renewed, and says so in a condition and a metric", async () => {
    const { fingerprint } = tls.material;
    const condition = async () => {
      const page = (await (await fetch(running.url("/api/v1/pipelines/shop/cards"))).json()) as {
        processConditions: { type: string; status: boolean; message: string }[];
      };
      return page.processConditions.find(({ type }) => type === "CertificatesCurrent");
    };
    const metrics = async () => (await fetch(running.url("/metrics"))).text();
    await running.clock.advance(1000);
    assert.equal((await condition())?.status, true);
    secret.swap({ ...first, "tls.crt": second["tls.crt"] });
    await until(() => tls.problem !== null, "seen");
    assert.equal(await connectTo(running.scaler.ports.keda, contextOf(keda)), fingerprint);
    assert.equal((await client().spec(refOf())).metricSpecs.length, 1);
    assert.equal((await condition())?.status, false);
    assert.match((await condition())?.message ?? "", /tls\.key does not belong to the certificate/);
    assert.match(await metrics(), /variscale_condition\{[^}]*type="CertificatesCurrent"\} 0/);
    assert.match(await metrics(), /variscale_tls_files_current 0/);
    secret.swap(second);
    await until(() => tls.problem === null, "whole again");
    assert.notEqual(await connectTo(running.scaler.ports.keda, contextOf(keda)), fingerprint);
    assert.equal((await condition())?.status, true);
  });
});

describe("mutual TLS between scaler and variant-switcher", () => {
  it("is taken up with the certificates as they are at each connection, and the switcher serves without them", async () => {
    const folder = new TestFolder();
    const serverSecret = new SecretFolder(first);
    const switcherSecret = new SecretFolder(stranger);
    const tls = await TlsFolder.open({ folder: serverSecret.path, logger, checkEveryMs: 2 });
    const stage = { name: "affine", ladder: { a: [2, 0.9], b: [3, 0.95], c: [1, 0.8] } } as const;
    const running = await RunningScaler.start({ pipelines: [pipelineFixture([stage])], tls });
    const connected = () => running.scaler.switchers(running.pipeline.key).length;
    switcherSecret.swap({ ...first, "tls.key": second["tls.key"] });
    const switcher = await TestSwitcher.start(
      affineConfig(folder.path, {
        pipeline: { namespace: "default", name: "fixture" },
        scalerAddress: `localhost:${running.scaler.ports.switchers}`,
        tlsFolder: switcherSecret.path,
      }),
      { firstWordMs: 10, linkRetryMs: 10 },
    );
    try {
      await switcher.untilReady();
      assert.equal(connected(), 0);
      switcherSecret.swap(authority.issue("switcher"));
      await until(() => connected() === 1, "connected");
      assert.match(await switcher.metrics(), /variscale_tls_certificate_expiry_timestamp_seconds\{file="tls\.crt"\}/);
    } finally {
      await switcher.close();
      await running.close();
      tls.close();
      for (const one of [folder, serverSecret, switcherSecret]) "delete" in one ? one.delete() : one.remove();
    }
  });
});
