import { z } from "zod";
import type { ServiceTimes } from "../control/switcher-view.ts";
import { type Assignment, NACK_CODES, NO_VERSION } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import { DNS_NAME, DNS_NAME_RULE } from "../domain/pipeline.ts";
import type { Directive } from "../proto/generated/variscale/switcher/v1/Directive.ts";
import type { SwitcherReport__Output } from "../proto/generated/variscale/switcher/v1/SwitcherReport.ts";

/** The protocol version that this scaler speaks. */
export const PROTOCOL_VERSION = 2;

/** Faults of a message that its sender is told. */
const MOST_TOLD = 3;

const count = z.int().min(0);
const amount = z.number().min(0).max(1e15);
const word = z.string().max(253);
const dnsName = z.string().regex(DNS_NAME, DNS_NAME_RULE);
const version = z
  .object({ epoch: count, counter: count })
  .nullable()
  .transform(value => value ?? NO_VERSION);
/** Text of errors: cut, never refused, because a stream must not end over a long message. */
const text = z.string().transform(value => value.slice(0, 1000));
const variants = z.array(word).max(200);

const helloSchema = z.object({
  protocolVersions: z.array(count).max(32),
  namespace: dnsName,
  pipeline: dnsName,
  stage: dnsName,
  pod: dnsName,
  address: word,
  softwareVersion: word,
  cores: amount,
  memoryMib: amount,
  applied: version,
  variant: word,
  residentVariants: variants,
  ready: z.boolean(),
  missingVariants: variants,
});

const statusSchema = z.object({
  applied: version,
  variant: word,
  batch: count,
  ready: z.boolean(),
  residentVariants: variants,
  pin: z
    .object({ variant: word, batch: count, expiresInMs: amount })
    .nullable()
    .transform(pin => pin && { variant: pin.variant, batch: pin.batch }),
  queuedRows: count,
  queueAgeMs: amount,
  offeredRows: count,
  servedRows: count,
  droppedRows: count,
  switches: count,
  memoryMib: amount,
  serviceTimes: z
    .array(z.object({ variant: word, rows: count, batches: count, totalMs: amount }))
    .max(20_000)
    .transform((times): readonly ServiceTimes[] => times),
  variants: z
    .array(z.object({ variant: word, state: word, reason: text, loadMs: amount, memoryMib: amount, shadowRows: count }))
    .max(200),
  missingVariants: variants,
  timeFactor: amount,
  timedBatches: count,
});

const ackSchema = z.object({ version, switchMs: amount });
const nackSchema = z.object({ version, code: z.enum(NACK_CODES), message: text, variant: word });
/** Projected tokens have about 1 KiB; whether it is one is found out where it is reviewed. */
const tokenSchema = z.object({ value: z.string().max(8192) });

export type Hello = z.output<typeof helloSchema>;
export type Status = z.output<typeof statusSchema>;
export type Ack = z.output<typeof ackSchema>;
export type Nack = z.output<typeof nackSchema>;

export type Report =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "status"; readonly status: Status }
  | { readonly kind: "ack"; readonly ack: Ack }
  | { readonly kind: "nack"; readonly nack: Nack }
  | { readonly kind: "token"; readonly token: string };

/** Takes what a switcher sent apart. Throws invalid_argument, naming the field, for what no switcher may say. */
export function parseReport(report: SwitcherReport__Output): Report {
  switch (report.report) {
    case "hello":
      return { kind: "hello", hello: parseWith(helloSchema, report.hello, "hello") };
    case "status":
      return { kind: "status", status: parseWith(statusSchema, report.status, "status") };
    case "ack":
      return { kind: "ack", ack: parseWith(ackSchema, report.ack, "ack") };
    case "nack":
      return { kind: "nack", nack: parseWith(nackSchema, report.nack, "nack") };
    case "token":
      return { kind: "token", token: parseWith(tokenSchema, report.token, "token").value };
    default:
      throw new VariscaleError(
        "invalid_argument",
        "the report is none of hello, status, ack, nack and token: is the switcher newer than the scaler?",
      );
  }
}

export function toDirective(assignment: Assignment): Directive {
  return { assignment: { ...assignment, rungs: [...assignment.rungs], belowFloor: [...assignment.belowFloor] } };
}

function parseWith<S extends z.ZodType>(schema: S, message: unknown, name: string): z.output<S> {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  // A message may have thousands of faults: no more are described than are told.
  const first = new z.ZodError(result.error.issues.slice(0, MOST_TOLD));
  const issues = issuesOf(first, message, []).map(formatIssue);
  throw new VariscaleError("invalid_argument", `${name}: ${issues.join(" ")}`);
}
