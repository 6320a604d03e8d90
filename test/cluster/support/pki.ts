import { execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS, SERVICE_OF_API } from "./addresses.ts";

/** A folder with `NAME.crt` and `NAME.key` of each authority and certificate. */
export class Pki {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  authority(name: string): void {
    const files = ["-keyout", this.file(`${name}.key`), "-out", this.file(`${name}.crt`)];
    openssl(["req", "-x509", ...KEY, "-days", "30", "-subj", `/CN=${name}`, ...files]);
  }

  /** `names` as in `DNS:localhost` and `IP:127.0.0.1`. */
  certificate(name: string, authority: string, subject: string, names: readonly string[]): void {
    const request = this.file(`${name}.csr`);
    openssl(["req", ...KEY, "-subj", subject, "-keyout", this.file(`${name}.key`), "-out", request]);
    const extensions = this.file(`${name}.ext`);
    writeFileSync(extensions, "extendedKeyUsage=serverAuth,clientAuth\n");
    if (names.length > 0) appendFileSync(extensions, `subjectAltName=${names.join(",")}\n`);
    const issuer = ["-CA", this.file(`${authority}.crt`), "-CAkey", this.file(`${authority}.key`), "-CAcreateserial"];
    const out = ["-days", "30", "-extfile", extensions, "-out", this.file(`${name}.crt`)];
    openssl(["x509", "-req", "-in", request, ...issuer, ...out]);
  }

  /** As a Kubernetes Secret of type TLS is mounted. */
  tlsFolder(name: string, authority: string): string {
    const folder = this.file(`${name}-tls`);
    mkdirSync(folder);
    copyFileSync(this.file(`${authority}.crt`), join(folder, "ca.crt"));
    copyFileSync(this.file(`${name}.crt`), join(folder, "tls.crt"));
    copyFileSync(this.file(`${name}.key`), join(folder, "tls.key"));
    return folder;
  }
}

/** Everything that the cluster's programs show each other. */
export function makeClusterPki(folder: string): Pki {
  const pki = new Pki(folder);
  pki.authority("ca");
  pki.authority("front");
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(name => `DNS:${name}`);
  pki.certificate("api-server", "ca", "/CN=kube-apiserver", [
    `IP:${ADDRESS.apiServer}`,
    `IP:${SERVICE_OF_API}`,
    ...service,
  ]);
  pki.certificate("admin", "ca", "/O=system:masters/CN=admin", []);
  pki.certificate("proxy", "front", "/CN=front-proxy", []);
  const kedaNames = ["DNS:keda-operator.keda.svc", "DNS:keda-metrics-apiserver.keda.svc"];
  pki.certificate("keda", "ca", "/CN=keda", [...kedaNames, `IP:${ADDRESS.keda}`, `IP:${ADDRESS.adapter}`]);
  openssl(["genpkey", "-algorithm", "RSA", "-out", pki.file("service-accounts.key")]);
  const pair = ["-in", pki.file("service-accounts.key"), "-out", pki.file("service-accounts.pub")];
  openssl(["pkey", "-pubout", ...pair]);
  return pki;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
