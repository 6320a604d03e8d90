import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import type { CertificatePair } from "./check-certificate.ts";

/** The scaler's certificate as Kubernetes mounts a Secret. Throws not_found for a file that is not there. */
export function readScalerPair(folder: string): CertificatePair & { readonly where: string } {
  const read = (name: string): string => {
    const path = join(folder, name);
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      const message = `${path} can't be read: ${VariscaleError.from(error).message}. Name the folder with tls.crt, tls.key and ca.crt.`;
      throw new VariscaleError("not_found", message, { cause: error });
    }
  };
  return { certificate: read("tls.crt"), key: read("tls.key"), ca: read("ca.crt"), where: folder };
}
