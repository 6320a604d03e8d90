import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";

/** Keys that KEDA or a user may have put in the place of another. */
const MISSPELLINGS: Readonly<Record<string, "pipeline" | "stage">> = {
  pipelinename: "pipeline",
  pipelineref: "pipeline",
  pipelines: "pipeline",
  pipleine: "pipeline",
  pipelinestage: "stage",
  stagename: "stage",
  stages: "stage",
  stge: "stage",
};

/** KEDA reads these from a TriggerAuthentication alone; in the trigger's metadata they do nothing and the connection is plaintext. */
const AUTHENTICATION_ONLY = ["caCert", "tlsClientCert", "tlsClientKey"];

const value = z.string().min(1, "must not be empty").max(253);

const triggerMetadataSchema = z.looseObject({ pipeline: value, stage: value });

export interface TriggerMetadata {
  readonly pipeline: string;
  readonly stage: string;
  /** What looks wrong and is passed over; for the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads what KEDA passes of a trigger: all of its metadata, `scalerAddress` and keys of other readers included, so keys that are
 * not ours are passed over. `pipelineFromEnv` and `stageFromEnv` arrive with the value already resolved.
 *
 * Throws invalid_argument, naming the key.
 */
export function parseTriggerMetadata(metadata: Readonly<Record<string, string>>): TriggerMetadata {
  const given = {
    ...metadata,
    pipeline: metadata["pipeline"] ?? metadata["pipelineFromEnv"],
    stage: metadata["stage"] ?? metadata["stageFromEnv"],
  };
  const result = triggerMetadataSchema.safeParse(given);
  if (!result.success) {
    const issues = result.error.issues.map(issue => describe(String(issue.path[0]), issue.message, metadata));
    throw new VariscaleError("invalid_argument", `trigger metadata: ${issues.join("; ")}`);
  }
  return { pipeline: result.data.pipeline, stage: result.data.stage, warnings: warningsOf(metadata) };
}

function describe(key: string, message: string, metadata: Readonly<Record<string, string>>): string {
  if (metadata[key] !== undefined) return `\`${key}\` ${message}`;
  const near = Object.keys(metadata).find(other => meantBy(other) === key);
  const fix = near === undefined ? `add \`${key}\` to the trigger's metadata` : `rename \`${near}\` to \`${key}\``;
  return `\`${key}\` is missing: ${fix}`;
}

function warningsOf(metadata: Readonly<Record<string, string>>): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(metadata)) {
    const meant = meantBy(key);
    if (meant !== undefined) warnings.push(`\`${key}\` is passed over: is \`${meant}\` meant?`);
    if (AUTHENTICATION_ONLY.includes(key))
      warnings.push(`\`${key}\` does nothing in the trigger's metadata: put it into a TriggerAuthentication`);
  }
  return warnings;
}

function meantBy(key: string): "pipeline" | "stage" | undefined {
  const folded = key.toLowerCase().replaceAll(/[-_.]/g, "");
  if (key === "pipeline" || key === "stage") return undefined;
  if (folded === "pipeline" || folded === "stage") return folded;
  return Object.hasOwn(MISSPELLINGS, folded) ? MISSPELLINGS[folded] : undefined;
}
