import { fanOutText, ladderText, number, rowSharesText } from "../explanation/number-text.ts";
import { element } from "./element.ts";
import type { LivePin, LiveStageView, LiveView } from "./live-view.ts";

/** Stages from left to right in the order of requests, with what each serves, how full its batches are and what waits. */
export function diagram({ stages, board, pins }: LiveView): readonly Node[] {
  const depths = depthsOf(stages);
  const levels = [...new Set(depths.values())].toSorted((a, b) => a - b);
  const columns = levels.map(level =>
    element(
      "li",
      {},
      ...stages.filter(({ stage }) => depths.get(stage) === level).map(stage => card(stage, board, pins)),
    ),
  );
  return [element("ol", { class: "stages" }, ...columns)];
}

function card(stage: LiveStageView, board: LiveView["board"], pins: readonly LivePin[]): HTMLElement {
  const { serving, replicasReady, replicasNow, replicasGoal, queuedRows, queueAgeMs, batch, batchRows } = stage;
  const isOther = (board?.served?.stages.find(other => other.stage === stage.stage)?.differing ?? 0) > 0;
  const served = serving.map(({ variant, replicas }) => `${variant} × ${replicas}`).join(" + ");
  const isPinned = pins.some(pin => pin.stage === stage.stage);
  const waits = queuedRows === 0 ? "nothing" : `${number(queuedRows)} rows, ${number(queueAgeMs)} ms`;
  return element(
    "article",
    { class: "stage" },
    element(
      "h3",
      {},
      stage.stage,
      ...(isPinned ? [element("span", { class: "tag" }, "pinned")] : []),
      ...(isOther ? [element("span", { class: "tag" }, "not as planned")] : []),
    ),
    element(
      "dl",
      {},
      ...pair("serves", served || (replicasReady === 0 ? "nothing" : "what its pods serve")),
      ...(stage.rowShares.length > 1 ? pair("rows served", rowSharesText(stage.rowShares)) : []),
      ...(stage.ladder ? pair("rungs", ladderText({ ...stage, ladder: stage.ladder })) : []),
      ...pair("plan", plannedText(board, stage.stage)),
      ...pair("replicas", `${replicasReady} ready, ${replicasNow} asked for, ${replicasGoal} the goal`),
      ...pair("batch", batchText(batch, batchRows), fillOf(stage)),
      ...(stage.fanOut ? pair("rows", `${fanOutText(stage.fanOut)} each`) : []),
      ...pair("waiting", waits),
    ),
  );
}

function batchText(batch: number | null, rows: number | null): string {
  if (batch === null) return "not known";
  return rows === null ? `none served, at most ${batch}` : `${number(rows)} of ${batch} rows`;
}

function fillOf({ stage, batch, batchRows }: LiveStageView): HTMLElement | null {
  if (batch === null || batchRows === null) return null;
  return element("meter", {
    min: 0,
    max: batch,
    value: Math.min(batch, batchRows),
    "aria-label": `how full batches of ${stage} are`,
  });
}

function plannedText(board: LiveView["board"], stage: string): string {
  const parts = board?.plan?.stages.find(other => other.stage === stage)?.parts ?? [];
  return (
    parts.map(({ variant, replicas, batch }) => `${variant} × ${replicas}, batch ${batch}`).join(" + ") || "none yet"
  );
}

function pair(name: string, text: string, more: HTMLElement | null = null): readonly HTMLElement[] {
  return [element("dt", {}, name), element("dd", {}, text, ...(more ? [" ", more] : []))];
}

/** How many stages at most come before each; stages come after those that they depend on. */
function depthsOf(stages: readonly LiveStageView[]): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  for (const { stage, dependsOn } of stages)
    depths.set(stage, Math.max(0, ...dependsOn.map(other => (depths.get(other) ?? 0) + 1)));
  return depths;
}
