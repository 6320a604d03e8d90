import { fixedText } from "../explanation/change-text.ts";
import { element } from "./element.ts";
import type { LiveChange } from "./live-view.ts";

/** What operators changed, newest first: entries of the audit log. */
export function changeList(changes: readonly LiveChange[]): readonly Node[] {
  if (changes.length === 0) return [element("p", { class: "note" }, "None are known.")];
  const lines = changes.map(change => {
    const { atMs, by, reason, shown } = change;
    const who = `${by === "" ? "by someone who gave no name" : `by ${by}`}${shown === "token" ? ", with the token" : ", from the scaler's machine"}`;
    return element(
      "li",
      {},
      element("b", {}, whatText(change)),
      ` at ${dayText(atMs)} ${who}${reason === "" ? "" : `: ${reason}`}`,
    );
  });
  return [element("ul", { class: "changes" }, ...lines)];
}

function whatText(change: LiveChange): string {
  switch (change.kind) {
    case "pin":
      return `${change.pin.stage} pinned to ${fixedText(change.pin)} until ${dayText(change.pin.expiresAtMs)}`;
    case "unpin": {
      const stages = change.removed.map(({ stage }) => stage).join(", ");
      return stages === "" ? "unpinned, though nothing was pinned" : `${stages} unpinned`;
    }
    case "mode":
      return `mode ${change.mode}, ${change.before} before`;
    case "tuning":
      return change.ended ? "tuning ended" : "tuned";
  }
  return change satisfies never;
}

/** They may be of days ago, and pins last for days. */
function dayText(atMs: number): string {
  return new Date(atMs).toLocaleString([], {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}
