/** X.509 certificates for tests, written out in DER: tests need nothing beside Node. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { isIP } from "node:net";

const DAY_MS = 86_400_000;

/** PEM texts under the names that a Kubernetes Secret of type kubernetes.io/tls has. */
export interface TlsFiles {
  readonly "tls.crt": string;
  readonly "tls.key": string;
  readonly "ca.crt": string;
}

export interface CertificateOptions {
  /** Host names and addresses. Default: those of this machine. */
  readonly hosts?: readonly string[];
  /** Default: from yesterday until in 30 days. */
  readonly validFromMs?: number;
  readonly validToMs?: number;
}

/** A certificate authority with a new key. */
export class TestAuthority {
  readonly certificate: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string, options: Pick<CertificateOptions, "validToMs"> = {}) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = name;
    this.#key = privateKey;
    const isAuthority = extension("551d13", true, sequence(tlv(0x01, Buffer.from([0xff]))));
    this.certificate = this.#certify(name, publicKey, [isAuthority], options);
  }

  /** A certificate for both ends of a connection, its key, and this authority's own certificate. */
  issue(name: string, options: CertificateOptions = {}): TlsFiles {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const hosts = (options.hosts ?? ["localhost", "127.0.0.1"]).map(host =>
      isIP(host) === 4 ? tlv(0x87, Buffer.from(host.split(".").map(Number))) : tlv(0x82, Buffer.from(host)),
    );
    const usages = ["2b06010505070301", "2b06010505070302"].map(oid);
    const extensions = [
      extension("551d11", false, sequence(...hosts)),
      extension("551d25", false, sequence(...usages)),
    ];
    return {
      "tls.crt": this.#certify(name, publicKey, extensions, options),
      "tls.key": privateKey.export({ type: "pkcs8", format: "pem" }) as string,
      "ca.crt": this.certificate,
    };
  }

  #certify(name: string, key: KeyObject, extensions: readonly Buffer[], options: CertificateOptions): string {
    const { validFromMs = Date.now() - DAY_MS, validToMs = Date.now() + 30 * DAY_MS } = options;
    const algorithm = sequence(oid("2a8648ce3d040302"));
    const serial = Buffer.from(Array.from({ length: 8 }, () => 1 + Math.floor(Math.random() * 126)));
    const body = sequence(
      tlv(0xa0, tlv(0x02, Buffer.from([2]))),
      tlv(0x02, serial),
      algorithm,
      distinguishedName(this.#name),
      sequence(time(validFromMs), time(validToMs)),
      distinguishedName(name),
      key.export({ type: "spki", format: "der" }),
      tlv(0xa3, sequence(...extensions)),
    );
    const signature = tlv(0x03, Buffer.from([0]), sign("sha256", body, this.#key));
    const base64 = sequence(body, algorithm, signature).toString("base64");
    return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
  }
}

/** One element: tag, length, content. */
function tlv(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  // The shortest form, as DER has it: Go reads no other.
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function sequence(...content: readonly Buffer[]): Buffer {
  return tlv(0x30, ...content);
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, "hex"));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}

function distinguishedName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid("550403"), tlv(0x0c, Buffer.from(name)))));
}

/** GeneralizedTime, with seconds. */
function time(ms: number): Buffer {
  return tlv(0x18, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`));
}
