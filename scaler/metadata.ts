import { VariscaleError } from "../domain/errors.ts";
import { nearest } from "../domain/file-issue.ts";

/** The keys of a trigger of ours: two that name the stage, and those by which KEDA finds and reaches the scaler. */
const KNOWN = ["pipeline", "stage", "scalerAddress", "enableTLS", "unsafeSsl"] as const;
type Key = (typeof KNOWN)[number];

/** KEDA reads these from a TriggerAuthentication alone; in the trigger's metadata they do nothing and the connection is plaintext. */
const AUTHENTICATION_ONLY = ["caCert", "tlsClientCert", "tlsClientKey"];

/** KEDA resolves `keyFromEnv` from the target's environment: it passes the value under this name, or nothing where there is none. */
const FROM_ENV = "FromEnv";

/** What people write in the place of a key and that looks too different for a search by letters. */
const SYNONYMS: ReadonlyMap<string, Key> = new Map([
  ["pipelinestage", "stage"],
  ["address", "scalerAddress"],
  ["tls", "enableTLS"],
]);

const MOST_CHARACTERS = 253;
/** Keys that are looked at; KEDA passes those of the trigger, which has a handful. */
const MOST_KEYS = 64;
/** Complaints that one error has at most, and letters of a key that it shows. */
const MOST_COMPLAINTS = 5;
const MOST_SHOWN = 80;

export interface TriggerMetadata {
  readonly pipeline: string;
  readonly stage: string;
}

/**
 * Reads what KEDA passes of a trigger, which is all of its metadata. A key that is not known is refused: it does not do what it was
 * written for. Values of such keys are never shown, for they may be secrets.
 *
 * Throws invalid_argument, naming the key, its value, the rule and the fix.
 */
export function parseTriggerMetadata(metadata: Readonly<Record<string, string>>): TriggerMetadata {
  const keys = Object.keys(metadata);
  if (keys.length > MOST_KEYS)
    throw new VariscaleError(
      "invalid_argument",
      `trigger metadata: there are ${keys.length} keys, at most ${MOST_KEYS} are taken; known are ${KNOWN.join(", ")}`,
    );
  const complaints: string[] = [];
  const pipeline = readName(metadata, "pipeline", complaints);
  const stage = readName(metadata, "stage", complaints);
  for (const key of keys) {
    const complaint = complaintAbout(key, metadata[key] ?? "");
    if (complaint !== null) complaints.push(complaint);
  }
  if (complaints.length === 0) return { pipeline, stage };
  const more = complaints.length > MOST_COMPLAINTS ? `; and ${complaints.length - MOST_COMPLAINTS} more` : "";
  const shown = complaints.slice(0, MOST_COMPLAINTS).join("; ");
  throw new VariscaleError("invalid_argument", `trigger metadata: ${shown}${more}`);
}

function readName(metadata: Readonly<Record<string, string>>, key: "pipeline" | "stage", complaints: string[]): string {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  if (value === undefined) complaints.push(`\`${key}\` is missing: add it`);
  else if (value.trim() === "") complaints.push(`\`${key}\` must not be empty: write the ${key}'s name`);
  else if (value.length > MOST_CHARACTERS)
    complaints.push(`\`${key}\` is ${value.length} characters long: it must have ${MOST_CHARACTERS} at most`);
  return value ?? "";
}

function complaintAbout(key: string, value: string): string | null {
  const plain = key.endsWith(FROM_ENV) ? key.slice(0, -FROM_ENV.length) : key;
  if (AUTHENTICATION_ONLY.includes(plain))
    return `\`${key}\` does nothing here, and the connection is not what it looks like: move it into a TriggerAuthentication`;
  switch (plain) {
    case "pipeline":
    case "stage":
      if (plain === key) return null;
      return `\`${key}\` names what only the target's pods know, and ScaledObjects are found by their ${plain}: write \`${plain}\` with the name itself`;
    case "scalerAddress":
      return null;
    case "enableTLS":
    case "unsafeSsl":
      if (value === "true" || value === "false") return null;
      return `\`${key}\` is \`${value.slice(0, MOST_SHOWN)}\`: it must be \`true\` or \`false\``;
    default: {
      const shown = plain.slice(0, MOST_SHOWN);
      const meant = SYNONYMS.get(shown.toLowerCase()) ?? nearest(shown, KNOWN);
      const fix = meant === null ? "remove it" : `rename it to \`${meant}\``;
      return `\`${key.slice(0, MOST_SHOWN)}\` is unknown: ${fix}; known are ${KNOWN.join(", ")}`;
    }
  }
}
