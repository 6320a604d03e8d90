import { readFileSync } from "node:fs";
import { Metadata } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";

/** What a call to the scaler shows, by `readToken`. */
export function tokenMetadata(file: string | null): Metadata {
  const metadata = new Metadata();
  const token = readToken(file);
  if (token !== null) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

/**
 * The token that the file has now, since the kubelet renews it; null: there is no file.
 *
 * Throws failed_precondition where there is none in the file.
 */
export function readToken(file: string | null): string | null {
  if (file === null) return null;
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
  return token;
}
