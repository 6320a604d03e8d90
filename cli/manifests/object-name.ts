import { createHash } from "node:crypto";

/** KEDA names the HPA `keda-hpa-<ScaledObject>`, and its webhook refuses a name above 63 characters. */
const MOST_LENGTH = 63 - "keda-hpa-".length;
const HASH_LENGTH = 8;

/**
 * Name of a stage's objects: `pipeline-stage`, where no other pipeline and stage have it. It ends in a hash of both where it is too long,
 * and where it could be another's too: with a `-` in the stage (`a` and `b-c`, `a-b` and `c`), or with dots, which Services can't hold.
 */
export function objectName(pipeline: string, stage: string): string {
  const name = `${pipeline}-${stage}`.replaceAll(".", "-");
  const isUnique = !stage.includes("-") && name === `${pipeline}-${stage}`;
  if (isUnique && name.length <= MOST_LENGTH) return name;
  const hash = createHash("sha256").update(`${pipeline}/${stage}`).digest("hex").slice(0, HASH_LENGTH);
  return `${name.slice(0, MOST_LENGTH - HASH_LENGTH - 1).replace(/-+$/, "")}-${hash}`;
}
