import { createHash } from "node:crypto";

/** KEDA names the HPA `keda-hpa-<ScaledObject>`, and its webhook refuses a name above 63 characters. */
const MOST_LENGTH = 63 - "keda-hpa-".length;
const HASH_LENGTH = 8;

/** Name of a stage's objects, `pipeline-stage`; one that is too long is cut and ends in a hash of all of it. Services hold no dots. */
export function objectName(pipeline: string, stage: string): string {
  const name = `${pipeline}-${stage}`.replaceAll(".", "-");
  if (name.length <= MOST_LENGTH) return name;
  const hash = createHash("sha256").update(`${pipeline}/${stage}`).digest("hex").slice(0, HASH_LENGTH);
  return `${name.slice(0, MOST_LENGTH - HASH_LENGTH - 1).replace(/-+$/, "")}-${hash}`;
}
