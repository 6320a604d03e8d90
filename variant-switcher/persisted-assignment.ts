import type { Assignment } from "../domain/assignment.ts";
import { ConfigValue } from "./config-value.ts";

const COUNT = 2 ** 53 - 1;
const MEMBERS = ["version", "variant", "batch", "maxWaitMs", "fallbackVariant", "overload", "decisionId"] as const;

/** Reads an Assignment that an earlier run kept, or that was mounted; throws `invalid_argument` for anything else. */
export function parseAssignment(value: unknown): Assignment {
  const members = new ConfigValue(value, "", "kept assignment").object(MEMBERS);
  const version = members.version.object(["epoch", "counter"]);
  const overload = members.overload.object(["enterQueueMs", "exitQueueMs", "dwellMs"]);
  return {
    version: { epoch: version.epoch.integer(0, COUNT), counter: version.counter.integer(0, COUNT) },
    variant: members.variant.text(),
    batch: members.batch.integer(1, 4096),
    maxWaitMs: members.maxWaitMs.number(0, 60_000),
    fallbackVariant: members.fallbackVariant.text(),
    overload: {
      enterQueueMs: overload.enterQueueMs.number(0, 1e9),
      exitQueueMs: overload.exitQueueMs.number(0, 1e9),
      dwellMs: overload.dwellMs.number(0, 1e9),
    },
    decisionId: members.decisionId.text("must be text", /^[^\0]*$/),
  };
}
