import { readFileSync } from "node:fs";
import { Metadata } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";

/**
 * What a call to the scaler shows: the token that the file has now, since the kubelet renews it. Null: nothing.
 *
 * Throws failed_precondition where there is none in the file.
 */
export function tokenMetadata(file: string | null): Metadata {
  const metadata = new Metadata();
  if (file === null) return metadata;
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (error) {
    const { message } = VariscaleError.from(error);
    throw new VariscaleError(
      "failed_precondition",
      `the token for the scaler can't be read: ${message}. Mount it as a projected volume, or correct scalerTokenFile.`,
      { cause: error },
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new VariscaleError("failed_precondition", `${file} must have one line, the token for the scaler`);
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
