import { fixedText } from "../explanation/change-text.ts";
import { clockText } from "./decision-panel.ts";
import { element } from "./element.ts";
import type { LiveChange } from "./live-view.ts";

/** What operators changed, newest first: entries of the audit log. */
export function changeList(changes: readonly LiveChange[]): readonly Node[] {
  if (changes.length === 0) return [element("p", { class: "note" }, "None since the scaler started.")];
  const lines = changes.map(change => {
    const { atMs, by, reason, shown } = change;
    const who = `${by === "" ? "by someone who gave no name" : `by ${by}`}${shown === "token" ? ", with the token" : ", from the scaler's machine"}`;
    return element(
      "li",
      {},
      element("b", {}, whatText(change)),
      ` at ${clockText(atMs)} ${who}${reason === "" ? "" : `: ${reason}`}`,
    );
  });
  return [element("ul", { class: "changes" }, ...lines)];
}

function whatText(change: LiveChange): string {
  switch (change.kind) {
    case "pin":
      return `${change.pin.stage} pinned to ${fixedText(change.pin)} until ${clockText(change.pin.expiresAtMs)}`;
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
