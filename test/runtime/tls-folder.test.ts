import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { Registry } from "prom-client";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import { addTlsMetrics } from "../../runtime/tls-metrics.ts";
import { TestAuthority } from "../support/certificates.ts";
import { SecretFolder } from "../support/secret-folder.ts";

const logger = createLogger("test", "silent");
const authority = new TestAuthority("authority");
const first = authority.issue("first");
const second = authority.issue("second");

describe("TlsFolder", () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  /** A folder that is looked at all the time, and what each look told. */
  async function open(folder: string, nowMs?: () => number) {
    const tls = await TlsFolder.open({ folder, logger, checkEveryMs: 1, ...(nowMs && { nowMs }) });
    const looks: (string | null)[] = [];
    tls.watch(problem => looks.push(problem));
    cleanups.push(() => tls.close());
    /** Two whole looks from now on. */
    const look = async () => {
      const seen = looks.length;
      while (looks.length < seen + 3) await new Promise(resolve => setTimeout(resolve, 1));
    };
    return { tls, looks, look };
  }

  function secret(files = first): SecretFolder {
    const folder = new SecretFolder(files);
    cleanups.push(() => folder.remove());
    return folder;
  }

  it("takes a Secret that was swapped as a whole", async () => {
    const folder = secret();
    const { tls, looks, look } = await open(folder.path);
    const before = tls.material.fingerprint;
    await look();
    assert.equal(tls.material.fingerprint, before);
    folder.swap(second);
    await look();
    assert.notEqual(tls.material.fingerprint, before);
    assert.deepEqual(tls.reloads, { taken: 1, refused: 0 });
    assert.ok(
      looks.every(problem => problem === null),
      looks.join(),
    );
  });

  it("keeps the last good pair while another is half renewed, says why, and takes it when it is whole", async () => {
    const path = mkdtempSync(join(tmpdir(), "variscale-plain-"));
    cleanups.push(() => rmSync(path, { recursive: true, force: true }));
    const put = (name: keyof typeof first, text: string) => {
      writeFileSync(join(path, "new"), text);
      renameSync(join(path, "new"), join(path, name));
    };
    for (const name of ["tls.crt", "tls.key", "ca.crt"] as const) put(name, first[name]);
    const { tls, look } = await open(path);
    const before = tls.material.fingerprint;
    put("tls.crt", second["tls.crt"]);
    await look();
    await look();
    assert.equal(tls.material.fingerprint, before);
    assert.match(tls.problem ?? "", /tls\.key does not belong to the certificate/);
    assert.deepEqual(tls.reloads, { taken: 0, refused: 1 });
    put("tls.key", second["tls.key"]);
    await look();
    assert.notEqual(tls.material.fingerprint, before);
    assert.equal(tls.problem, null);
    assert.deepEqual(tls.reloads, { taken: 1, refused: 1 });
  });

  it("keeps the last good pair while files are missing, and names them", async () => {
    const folder = secret();
    const { tls, look } = await open(folder.path);
    folder.swap({ "tls.crt": second["tls.crt"], "ca.crt": second["ca.crt"] });
    await look();
    assert.match(tls.problem ?? "", /tls\.key can't be read: ENOENT/);
    folder.swap(first);
    await look();
    assert.equal(tls.problem, null);
    assert.deepEqual(tls.reloads, { taken: 0, refused: 0 });
  });

  it("says when the pair that is in use has ended", async () => {
    let atMs = Date.now();
    const { tls, look } = await open(secret().path, () => atMs);
    atMs += 31 * 86_400_000;
    await look();
    assert.match(tls.problem ?? "", /tls\.crt certificate 1 is valid from .* to .*, which is not now/);
  });

  it("shows in metrics when certificates end, and whether they are current", async () => {
    const folder = secret();
    const { tls, look } = await open(folder.path);
    const registry = new Registry();
    addTlsMetrics(registry, tls);
    const expiry = /variscale_tls_certificate_expiry_timestamp_seconds\{file="tls\.crt"\} (\d+)/;
    const text = await registry.metrics();
    assert.equal(Number(expiry.exec(text)?.[1]) * 1000, tls.material.expiresAtMs["tls.crt"]);
    assert.match(text, /expiry_timestamp_seconds\{file="ca\.crt"\} \d+/);
    assert.match(text, /variscale_tls_files_current 1/);
    folder.swap({ ...first, "tls.key": second["tls.key"] });
    await look();
    for (let i = 0; i < 2; i++) {
      const after = await registry.metrics();
      assert.match(after, /variscale_tls_files_current 0/);
      assert.match(after, /variscale_tls_reloads_total\{outcome="refused"\} 1/);
      assert.match(after, /variscale_tls_reloads_total\{outcome="taken"\} 0/);
    }
  });

  it("refuses to start with a folder that can't be used, and says which and why", async () => {
    const folder = secret({ ...first, "tls.key": second["tls.key"] }).path;
    for (const [path, message] of [
      [folder, /tls\.key does not belong/],
      [join(folder, "none"), /can't be read: ENOENT/],
    ] as const) {
      await assert.rejects(TlsFolder.open({ folder: path, logger }), { code: "failed_precondition", message });
    }
    await assert.rejects(TlsFolder.open({ folder, logger }), { message: new RegExp(`TLS folder ${folder}`) });
  });
});
