import { z } from "zod";
import type { LiveChange, LiveChangeKind } from "../dashboard/live-view.ts";
import { operatorPinSchema } from "../domain/operator-pin.ts";
import type { OperatorChange } from "./journal.ts";

const mode = z.enum(["shadow", "active"]);
const note = {
  atMs: z.number(),
  by: z.string().max(200),
  reason: z.string().max(500),
  shown: z.enum(["token", "this_machine"]),
};

/** A change by an operator as it is shown, and stored beside what operators set. */
export const shownChangeSchema: z.ZodType<LiveChange> = z.discriminatedUnion("kind", [
  z.object({ ...note, kind: z.literal("pin"), pin: operatorPinSchema }),
  z.object({ ...note, kind: z.literal("unpin"), removed: z.array(operatorPinSchema).max(100) }),
  z.object({ ...note, kind: z.literal("mode"), mode, before: mode }),
  z.object({ ...note, kind: z.literal("tuning"), ended: z.boolean() }),
]);

/** Addresses stay in the audit log: whoever reaches the port may read this. */
export function shownChange(change: OperatorChange, atMs: number): LiveChange {
  const { by, reason, shown } = change;
  return { atMs, by, reason, shown, ...whatOf(change) };
}

function whatOf(change: OperatorChange): LiveChangeKind {
  switch (change.kind) {
    case "pin":
      return { kind: "pin", pin: change.pin };
    case "unpin":
      return { kind: "unpin", removed: change.removed };
    case "mode":
      return { kind: "mode", mode: change.mode, before: change.before };
    case "tuning":
      return { kind: "tuning", ended: change.tuning === null };
  }
  return change satisfies never;
}
