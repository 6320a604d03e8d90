import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Assignment } from "../../domain/assignment.ts";
import { type LastingSources, lastingOf } from "../../variant-switcher/lasting.ts";
import type { ModelSession } from "../../variant-switcher/session.ts";

const APPLIED: Assignment = {
  version: { epoch: 1, counter: 1 },
  variant: "heavy",
  batch: 4,
  maxWaitMs: 0,
  fallbackVariant: "light",
  overload: { enterQueueMs: 100, exitQueueMs: 20, dwellMs: 1000 },
  decisionId: "d",
};
const PIN = { variant: "light", batch: 2, expiresAtMs: 1e15 };
const HEAVY = { variant: "heavy", batch: 4 };
const LIGHT = { variant: "light", batch: 2 };

interface Now {
  readonly serves: string | null;
  readonly applied?: Assignment | null;
  readonly pin?: typeof PIN | null;
  readonly isProtecting?: boolean;
  readonly incoming?: string | null;
}

/** Batches that serve have two rows. */
function sources({
  serves,
  applied = APPLIED,
  pin = null,
  isProtecting = false,
  incoming = null,
}: Now): LastingSources {
  const session = { variant: serves } as ModelSession;
  return {
    assignments: { applied, pin, isProtecting },
    batcher: { serving: serves === null ? null : { session, batch: 2, maxWaitMs: 0 } },
    switching: { incomingVariant: incoming },
  };
}

describe("lastingOf()", () => {
  const cases: readonly (readonly [string, Now, { readonly variant: string; readonly batch: number } | null])[] = [
    ["nothing serves", { serves: null }, null],
    ["there is no Assignment", { serves: "light", applied: null }, LIGHT],
    ["the Assignment's variant serves", { serves: "heavy" }, { variant: "heavy", batch: 2 }],
    ["it protects itself", { serves: "light", isProtecting: true }, HEAVY],
    ["it is about to protect itself", { serves: "heavy", isProtecting: true }, { variant: "heavy", batch: 2 }],
    ["it goes back", { serves: "light", incoming: "heavy" }, HEAVY],
    ["the fallback stands in for a variant that can't be served", { serves: "light" }, LIGHT],
    ["another variant stands in", { serves: "medium" }, { variant: "medium", batch: 2 }],
    ["an operator has pinned the fallback", { serves: "light", pin: PIN }, LIGHT],
    ["a pin loads", { serves: "heavy", pin: PIN, incoming: "light" }, { variant: "heavy", batch: 2 }],
  ];
  for (const [what, now, expected] of cases)
    it(`is ${expected === null ? "nothing" : expected.variant} where ${what}`, () => {
      assert.deepEqual(lastingOf(sources(now)), expected);
    });
});
