import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { VariscaleError } from "../../domain/errors.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const DAY_MS = 24 * 3_600_000;
const SOON_DAYS = 14;

/** A certificate with its key, as PEM texts. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
  /** Null: not given. */
  readonly ca: string | null;
}

/**
 * Whether the key is the certificate's, the CA signed it, and for how long it is valid.
 *
 * @param hosts names that it must be valid for; none for a client's.
 */
export function checkCertificate(
  pair: CertificatePair,
  hosts: readonly string[],
  where: string,
  nowMs: number,
): readonly Finding[] {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(pair.certificate);
    if (!leaf.checkPrivateKey(createPrivateKey(pair.key)))
      return [
        fail(
          "tls-pair",
          where,
          "the key is not the certificate's: half of a rotation, or two different Secrets",
          "write both anew from one issuance",
        ),
      ];
  } catch (error) {
    const { message } = VariscaleError.from(error);
    return [fail("tls-pair", where, `certificate or key can't be read: ${message}`, "write them as PEM texts")];
  }
  return [
    ...checkValidity(leaf, where, nowMs),
    ...checkIssuer(leaf, pair.ca, where),
    ...checkHosts(leaf, hosts, where),
  ];
}

function checkValidity(leaf: X509Certificate, where: string, nowMs: number): Finding[] {
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  const days = Math.floor((to - nowMs) / DAY_MS);
  if (nowMs > to) return [fail("tls-expiry", where, `expired on ${leaf.validTo}`, "issue a new one")];
  if (nowMs < from)
    return [fail("tls-expiry", where, `is valid only from ${leaf.validFrom}`, "correct the clock, or issue a new one")];
  if (days < SOON_DAYS)
    return [warn("tls-expiry", where, `expires in ${days} days`, "renew it, or let cert-manager do so")];
  return [ok("tls-expiry", where, `is valid until ${leaf.validTo}`)];
}

function checkIssuer(leaf: X509Certificate, ca: string | null, where: string): Finding[] {
  if (ca === null) return [];
  const blocks = ca.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    const issued = blocks.some(block => {
      const issuer = new X509Certificate(block);
      return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
    });
    if (issued) return [ok("tls-issuer", where, "is signed by its CA")];
  } catch (error) {
    const { message } = VariscaleError.from(error);
    return [fail("tls-issuer", where, `the CA can't be read: ${message}`, "write it as a PEM text")];
  }
  return [
    warn(
      "tls-issuer",
      where,
      "is not signed directly by its CA",
      "where there are intermediate certificates, add them to the certificate's file; else give the CA that signed it",
    ),
  ];
}

function checkHosts(leaf: X509Certificate, hosts: readonly string[], where: string): Finding[] {
  return hosts.map(host => {
    const matches = isIP(host) ? leaf.checkIP(host) : leaf.checkHost(host, { subject: "never" });
    if (matches) return ok("tls-name", where, `is valid for ${host}`);
    return fail(
      "tls-name",
      where,
      `is not valid for ${host}, by which KEDA calls the scaler; it has: ${leaf.subjectAltName ?? "no subjectAltName"}`,
      `issue it with ${host} among its subjectAltNames`,
    );
  });
}
