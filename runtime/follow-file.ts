import { readFileSync, statSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";

/** Reads a file, and again only when it is another one or was written since. */
export function followFile(path: string): () => string {
  let seen = "";
  let text = "";
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      const now = `${ino} ${mtimeMs} ${size}`;
      if (now !== seen) {
        text = readFileSync(path, "utf8");
        seen = now;
      }
      return text;
    } catch (error) {
      throw new VariscaleError(
        "failed_precondition",
        `Kubernetes: ${path} can't be read: ${VariscaleError.from(error).message}. Mount the service account's token (automountServiceAccountToken), or correct the path.`,
        { cause: error },
      );
    }
  };
}
