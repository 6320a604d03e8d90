import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, it } from "mocha";
import { checkTlsMaterial, TLS_FILES, type TlsFile } from "../../runtime/tls-material.ts";
import { TestAuthority, type TlsFiles } from "../support/certificates.ts";

const DAY_MS = 86_400_000;
const nowMs = Date.now();
const authority = new TestAuthority("authority");
const good = authority.issue("scaler");

function check(changed: Partial<TlsFiles>, atMs = nowMs): ReturnType<typeof checkTlsMaterial> {
  const files = { ...good, ...changed };
  const bytes = Object.fromEntries(TLS_FILES.map(file => [file, Buffer.from(files[file])])) as Record<TlsFile, Buffer>;
  return checkTlsMaterial(bytes, atMs);
}

describe("checkTlsMaterial()", () => {
  it("takes a pair with its authority, and tells when they end", () => {
    const { expiresAtMs, fingerprint } = check({});
    for (const file of ["tls.crt", "ca.crt"] as const)
      assert.ok(Math.abs(expiresAtMs[file] - nowMs - 30 * DAY_MS) < 60_000, String(expiresAtMs[file]));
    assert.match(fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  });

  it("takes a chain, whose end is that of the first that ends, and a bundle of authorities, of which one is enough", () => {
    const short = new TestAuthority("intermediate", { validToMs: nowMs + DAY_MS });
    const old = new TestAuthority("old", { validToMs: nowMs - DAY_MS });
    const { expiresAtMs } = check({
      "tls.crt": good["tls.crt"] + short.certificate,
      "ca.crt": `# a comment\n${old.certificate}${authority.certificate}`,
    });
    assert.ok(expiresAtMs["tls.crt"] <= nowMs + DAY_MS);
    assert.ok(expiresAtMs["ca.crt"] > nowMs + DAY_MS);
  });

  const other = authority.issue("other");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const encrypted = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  }) as string;
  const expired = authority.issue("old", { validToMs: nowMs - 1000 });
  const early = authority.issue("early", { validFromMs: nowMs + DAY_MS });
  const oldAuthority = new TestAuthority("old", { validToMs: nowMs - 1000 });
  const refused: readonly (readonly [string, Partial<TlsFiles>, RegExp])[] = [
    [
      "a key of another certificate",
      { "tls.key": other["tls.key"] },
      /tls\.key does not belong to .*renew both together/,
    ],
    ["a certificate of another key", { "tls.crt": other["tls.crt"] }, /tls\.key does not belong/],
    ["an encrypted key", { "tls.key": encrypted }, /tls\.key can't be read: .*unencrypted/],
    ["a certificate as key", { "tls.key": good["tls.crt"] }, /tls\.key can't be read/],
    ["an empty certificate", { "tls.crt": "" }, /tls\.crt has no certificate/],
    ["half a certificate", { "tls.crt": good["tls.crt"].slice(0, 200) }, /tls\.crt has no certificate/],
    [
      "a damaged certificate",
      { "tls.crt": good["tls.crt"].replace("MI", "AA") },
      /tls\.crt has a certificate that can't/,
    ],
    ["an expired certificate", expired, /tls\.crt certificate 1 is valid from .* which is not now: renew it/],
    ["one that is not valid yet", early, /tls\.crt certificate 1 is valid from/],
    ["no authority", { "ca.crt": "" }, /ca\.crt has no certificate/],
    [
      "authorities that have all ended",
      { "ca.crt": oldAuthority.certificate },
      /ca\.crt its newest certificate is valid/,
    ],
  ];
  for (const [what, files, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => check(files), { code: "failed_precondition", message });
    });
  }

  it("gives an error of ours for whatever the files hold", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...Object.values(good), good["tls.crt"].slice(0, -40), good["tls.key"].slice(40)),
    );
    fc.assert(
      fc.property(text, text, text, (certificate, key, ca) => {
        try {
          check({ "tls.crt": certificate, "tls.key": key, "ca.crt": ca });
        } catch (error) {
          assert.equal((error as Error).name, "VariscaleError", String(error));
        }
      }),
    );
  });
});
