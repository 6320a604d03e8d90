import { type Assignment, findAssignmentProblem } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { Assignment__Output } from "../proto/generated/variscale/switcher/v1/Assignment.ts";
import type { Hello } from "../proto/generated/variscale/switcher/v1/Hello.ts";
import type { Status } from "../proto/generated/variscale/switcher/v1/Status.ts";
import { packageVersion } from "../runtime/version.ts";
import type { SwitcherConfig } from "./config.ts";
import type { SwitcherStatus } from "./status.ts";

/** Versions of the Follow protocol that this switcher speaks. */
const PROTOCOL_VERSIONS = [2];

export function helloMessage(config: SwitcherConfig, address: string, status: SwitcherStatus): Hello {
  return {
    protocolVersions: PROTOCOL_VERSIONS,
    namespace: config.pipeline.namespace,
    pipeline: config.pipeline.name,
    stage: config.stage,
    pod: config.pod,
    address,
    softwareVersion: packageVersion,
    cores: config.cores,
    memoryMib: config.memoryMiB,
    applied: status.applied,
    variant: status.variant ?? "",
    residentVariants: [...status.residentVariants],
    missingVariants: [...status.missingVariants],
    ready: status.ready,
  };
}

export function statusMessage(status: SwitcherStatus): Status {
  const { memoryMiB, variant, pin, ...same } = status;
  return {
    ...same,
    variant: variant ?? "",
    residentVariants: [...status.residentVariants],
    missingVariants: [...status.missingVariants],
    memoryMib: memoryMiB,
    pin,
    serviceTimes: [...status.serviceTimes],
    variants: status.variants.map(({ memoryMiB: variantMiB, ...state }) => ({ ...state, memoryMib: variantMiB })),
  };
}

/** Throws `invalid_argument` for what makes no sense: a scaler may be of another version, or wrong. */
export function assignmentFromMessage(message: Assignment__Output): Assignment {
  const { version, rungs, ...same } = message;
  const assignment: Assignment = {
    ...same,
    version: { epoch: version?.epoch ?? 0, counter: version?.counter ?? 0 },
    rungs: rungs.map(({ variant, maxBatch }) => ({ variant, maxBatch })),
  };
  const problem = version === null ? "it has no version" : findAssignmentProblem(assignment);
  if (problem !== null) throw new VariscaleError("invalid_argument", `the assignment is of no use: ${problem}`);
  return assignment;
}
