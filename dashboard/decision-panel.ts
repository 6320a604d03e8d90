import { givenText } from "../explanation/given-text.ts";
import { number, percent } from "../explanation/number-text.ts";
import { outcomeText, runnerUpText } from "../explanation/plan-text.ts";
import { atMoreText, changeText, currentText, priceText } from "../explanation/price-text.ts";
import { BINDING_TEXT, REASON_TEXT } from "../explanation/reason-text.ts";
import { element } from "./element.ts";
import type { SeenDecision } from "./history.ts";
import type { ExplainedDecision } from "./live-view.ts";

const MOST_LISTED = 8;

/** Newest decisions as buttons; those that changed something first in sight by their weight. */
export function decisionList(
  decisions: readonly SeenDecision[],
  picked: string | null,
  onPick: (decisionId: string | null) => void,
): readonly Node[] {
  const listed = decisions.slice(0, MOST_LISTED);
  const buttons = [
    { id: null, text: "newest, as they come", isStrong: false },
    ...listed.map(({ decisionId, atMs, changes }) => ({
      id: decisionId,
      text: `${clockText(atMs)}${changes ? " changed" : ""}`,
      isStrong: changes,
    })),
  ].map(({ id, text, isStrong }) => {
    const button = element(
      "button",
      { type: "button", "aria-pressed": String(id === picked), class: isStrong ? "changes" : "" },
      text,
    );
    button.addEventListener("click", () => onPick(id));
    return element("li", {}, button);
  });
  return [element("ul", { class: "decisions" }, ...buttons)];
}

/** What `variscale explain` says of one decision. */
export function explanation({
  decisionId,
  atMs,
  mode,
  loadRps,
  plan,
  given,
  replicas,
  analysis,
}: ExplainedDecision): readonly Node[] {
  const load = loadRps === null ? "no load data" : `load ${number(loadRps)} rps`;
  const made = givenText(given);
  const current = currentText(analysis.explanation);
  return [
    element("p", {}, element("b", {}, decisionId), ` at ${clockText(atMs)}, mode ${mode}, ${load}`),
    list(plan.reasons.map(reason => REASON_TEXT[reason])),
    element("p", {}, `held back by: ${BINDING_TEXT[plan.binding]}`),
    planTable(plan),
    list(outcomeText(plan)),
    element("p", {}, runnerUpText(plan, plan.runnerUp)),
    element("h3", {}, "What a little more or less would cost"),
    list(analysis.explanation.prices.map(priceText)),
    // A scaler of an earlier version that leads does not say.
    list(atMoreText(analysis.explanation.atMore ?? [])),
    ...(current === null ? [] : [element("p", {}, current), list(analysis.explanation.changes.map(changeText))]),
    element("h3", {}, "Made with"),
    element("p", {}, made.heading),
    list(made.lines),
    list(replicas.map(({ stage, now, goal, ready }) => `${stage}: ${ready} ready, ${now} asked for, ${goal} the goal`)),
  ];
}

function planTable(plan: ExplainedDecision["plan"]): HTMLElement {
  const isSplit = plan.stages.some(({ parts }) => parts.length > 1);
  const header = ["stage", "variant", "batch", "replicas", ...(isSplit ? ["share"] : []), "cores", "ms"];
  const rows = plan.stages.flatMap(({ stage, parts, cores, latencyMs }) =>
    parts.map((part, i) => [
      i === 0 ? stage : "",
      part.variant,
      String(part.batch),
      String(part.replicas),
      ...(isSplit ? [percent(part.share)] : []),
      i === 0 ? number(cores) : "",
      i === 0 ? number(latencyMs) : "",
    ]),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "the plan by stage" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...header.map(name => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map(cell => element("td", {}, cell))))),
    ),
  );
}

function list(lines: readonly string[]): Node {
  if (lines.length === 0) return document.createTextNode("");
  return element("ul", {}, ...lines.map(line => element("li", {}, line)));
}

/** Time of day, of this machine's clock. */
export function clockText(atMs: number): string {
  return new Date(atMs).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}
