import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { VariscaleError } from "../domain/errors.ts";
import { createSecureContext } from "./secure-context.ts";

/** The files of a Kubernetes Secret of type kubernetes.io/tls. */
export const TLS_FILES = ["tls.crt", "tls.key", "ca.crt"] as const;
/** A peer that opens a connection and does not say who it is loses it. */
export const HANDSHAKE_WITHIN_MS = 10_000;
export type TlsFile = (typeof TLS_FILES)[number];

/** What one end of a mutually authenticated connection needs, checked. */
export interface TlsMaterial {
  /** For both ends: TLS 1.2 at least. */
  readonly context: SecureContextOptions;
  /** End of validity, in milliseconds since 1970; of ca.crt, that of its certificate that is valid longest. */
  readonly expiresAtMs: { readonly "tls.crt": number; readonly "ca.crt": number };
  /** Of the certificate, for the log. */
  readonly fingerprint: string;
}

/**
 * Checks a certificate (with its chain), its key and the certificates of the authorities that sign the other side's certificates.
 *
 * Throws failed_precondition, naming the file, the rule and the fix: a certificate that does not parse, is not valid at `nowMs` or
 * does not belong to the key; no authority that is valid.
 */
export function checkTlsMaterial(files: Readonly<Record<TlsFile, Buffer>>, nowMs: number): TlsMaterial {
  const chain = readCertificates("tls.crt", files["tls.crt"]);
  const authorities = readCertificates("ca.crt", files["ca.crt"]);
  const [certificate] = chain;
  if (!certificate?.checkPrivateKey(readKey(files["tls.key"])))
    refuse("tls.key", "does not belong to the certificate in tls.crt", "renew both together");
  for (const [i, one] of chain.entries()) checkValidity("tls.crt", `certificate ${i + 1}`, one, nowMs);
  const valid = authorities.filter(one => isValid(one, nowMs));
  if (valid.length === 0) checkValidity("ca.crt", "its newest certificate", latest(authorities), nowMs);
  const context = {
    cert: files["tls.crt"],
    key: files["tls.key"],
    ca: files["ca.crt"],
    minVersion: "TLSv1.2",
  } as const;
  try {
    createSecureContext(context);
  } catch (error) {
    refuse("tls.crt", `can't be used with tls.key: ${messageOf(error)}`, "renew both together");
  }
  return {
    context,
    expiresAtMs: {
      "tls.crt": Math.min(...chain.map(one => Date.parse(one.validTo))),
      "ca.crt": Date.parse(latest(valid).validTo),
    },
    fingerprint: certificate.fingerprint256,
  };
}

function readCertificates(file: TlsFile, bytes: Buffer): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = bytes.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    const [first, ...others] = blocks.map(block => new X509Certificate(block));
    if (first) return [first, ...others];
  } catch (error) {
    return refuse(file, `has a certificate that can't be read: ${messageOf(error)}`, "write PEM");
  }
  return refuse(file, "has no certificate", "write PEM, with -----BEGIN CERTIFICATE-----");
}

function readKey(bytes: Buffer): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch (error) {
    // The message of the parser names no part of the key.
    return refuse("tls.key", `can't be read: ${messageOf(error)}`, "write an unencrypted private key in PEM");
  }
}

function isValid(certificate: X509Certificate, nowMs: number): boolean {
  return Date.parse(certificate.validFrom) <= nowMs && nowMs < Date.parse(certificate.validTo);
}

function checkValidity(file: TlsFile, which: string, certificate: X509Certificate, nowMs: number): void {
  if (isValid(certificate, nowMs)) return;
  const { validFrom, validTo } = certificate;
  refuse(file, `${which} is valid from ${validFrom} to ${validTo}, which is not now`, "renew it, or correct the clock");
}

function latest(certificates: readonly X509Certificate[]): X509Certificate {
  return certificates.reduce((a, b) => (Date.parse(b.validTo) > Date.parse(a.validTo) ? b : a));
}

function refuse(file: TlsFile, rule: string, fix: string): never {
  throw new VariscaleError("failed_precondition", `${file} ${rule}: ${fix}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
