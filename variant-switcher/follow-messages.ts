import type { Assignment } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { Assignment__Output } from "../proto/generated/variscale/switcher/v1/Assignment.ts";
import type { Hello } from "../proto/generated/variscale/switcher/v1/Hello.ts";
import type { Status } from "../proto/generated/variscale/switcher/v1/Status.ts";
import { packageVersion } from "../runtime/version.ts";
import type { SwitcherConfig } from "./config.ts";
import type { SwitcherStatus } from "./status.ts";

/** Versions of the Follow protocol that this switcher speaks. */
const PROTOCOL_VERSIONS = [1];
const MAX_BATCH = 4096;
const MAX_WAIT_MS = 60_000;

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
  const { memoryMiB, variant, pin, confidence, ...same } = status;
  return {
    ...same,
    variant: variant ?? "",
    residentVariants: [...status.residentVariants],
    missingVariants: [...status.missingVariants],
    memoryMib: memoryMiB,
    pin,
    ...(confidence && {
      confidence: { upperBounds: [...confidence.upperBounds], counts: [...confidence.counts] },
    }),
    serviceTimes: [...status.serviceTimes],
    variants: status.variants.map(({ memoryMiB: variantMiB, ...state }) => ({ ...state, memoryMib: variantMiB })),
  };
}

/** Throws `invalid_argument` for numbers that make no sense: a scaler may be of another version, or wrong. */
export function assignmentFromMessage(message: Assignment__Output): Assignment {
  const { version, overload } = message;
  const check = (isGood: boolean, what: string, value: unknown): void => {
    if (!isGood) throw new VariscaleError("invalid_argument", `the assignment's ${what} is ${JSON.stringify(value)}`);
  };
  check(version !== null, "version", version);
  const { batch, maxWaitMs } = message;
  check(Number.isInteger(batch) && batch >= 1 && batch <= MAX_BATCH, "batch", batch);
  check(maxWaitMs >= 0 && maxWaitMs <= MAX_WAIT_MS, "maxWaitMs", maxWaitMs);
  const { enterQueueMs, exitQueueMs, dwellMs } = overload ?? { enterQueueMs: 0, exitQueueMs: 0, dwellMs: 0 };
  check(
    [enterQueueMs, exitQueueMs, dwellMs].every(value => value >= 0 && value <= 1e9),
    "overload",
    overload,
  );
  return {
    version: { epoch: version?.epoch ?? 0, counter: version?.counter ?? 0 },
    variant: message.variant,
    batch,
    maxWaitMs,
    fallbackVariant: message.fallbackVariant === "" ? message.variant : message.fallbackVariant,
    overload: { enterQueueMs, exitQueueMs, dwellMs },
    decisionId: message.decisionId,
  };
}
