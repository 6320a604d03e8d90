import type { Binding, Reason } from "../domain/plan.ts";
import { BINDING_TEXT, REASON_TEXT } from "../explanation/reason-text.ts";

/** Why the plan is as it is. A state that a newer version wrote may have reasons of that alone, which are not known here. */
export function whyText(reasons: readonly Reason[], binding: Binding): string {
  const why = reasons.length > 0 ? `Why: ${reasons.map(reason => REASON_TEXT[reason]).join("; ")}. ` : "";
  return `${why}Held back by: ${BINDING_TEXT[binding]}.`;
}
