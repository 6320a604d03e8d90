import type { Plan } from "../domain/plan.ts";
import { fixedText } from "../explanation/change-text.ts";
import { number, percent } from "../explanation/number-text.ts";
import { accuracyText, effectiveText, partText } from "../explanation/plan-text.ts";
import { clockText } from "./decision-panel.ts";
import { element } from "./element.ts";
import type { ExplainedDecision, LivePin, LiveView } from "./live-view.ts";
import { whyText } from "./why-text.ts";

/** What it does and why, in two sentences. */
export function headline(view: LiveView): readonly Node[] {
  const { board, mode } = view;
  const plan = board?.plan;
  if (!board || !plan)
    return [element("p", { class: "doing" }, "There is no plan yet: it plans as soon as there is load data.")];
  const load = board.load ? `Load ${number(board.load.rateRps)} rps` : "The load is not known now";
  const planned = plan.stages.map(({ stage, parts }) => `${stage}: ${parts.map(partText).join(" + ")}`).join(" → ");
  const verb = mode === "shadow" ? "It would serve" : "The plan serves";
  return [
    element(
      "p",
      { class: "doing" },
      `${load}. ${verb} ${plan.reasons.includes("expected") ? "up to " : ""}${number(plan.rateRps)} rps with ${planned}${lagText(view, plan)}`,
    ),
    element("p", { class: "why" }, whyText(board.reasons, plan.binding)),
  ];
}

/** Where ready switchers serve otherwise than planned; empty where none does, or there are none. */
function lagText({ stages, mode }: LiveView, plan: Plan): string {
  if (mode === "shadow") return ".";
  const others = stages.flatMap(({ stage, serving }) => {
    const wanted = plan.stages.find(other => other.stage === stage)?.parts.map(part => part.variant) ?? [];
    if (serving.length === 0 || serving.every(({ variant }) => wanted.includes(variant))) return [];
    return [`${stage} ${serving.map(({ variant, replicas }) => `${variant} × ${replicas}`).join(" + ")}`];
  });
  return others.length === 0 ? "." : `; still served: ${others.join(", ")}.`;
}

/** What must not be overlooked. */
export function banners({ mode, fileMode, board, pins, problems, nowMs }: LiveView): readonly Node[] {
  const told: Node[] = [];
  if (mode === "shadow")
    told.push(
      banner(
        "shadow",
        `Shadow mode${fileMode === "active" ? ", set by an operator" : ""}: nothing is done, this is what it would do.`,
      ),
    );
  if (board && nowMs - board.atMs > STALE_MS)
    told.push(banner("bad", `The control loop has not run since ${clockText(board.atMs)}.`));
  if (board?.plan && !board.plan.feasible)
    told.push(banner("bad", `No plan meets every constraint: ${number(board.plan.shedRps)} rps are shed.`));
  const served = board?.conditions.find(({ type }) => type === "ServedAsPlanned");
  if (served && !served.status) told.push(banner("bad", `Not served as planned. ${served.message}.`));
  for (const pin of pins) told.push(banner("note", pinText(pin)));
  for (const problem of problems) told.push(banner("bad", problem));
  return told;
}

const STALE_MS = 5000;

function banner(look: "shadow" | "note" | "bad", text: string): HTMLElement {
  return element("p", { class: `banner ${look}` }, text);
}

function pinText(pin: LivePin): string {
  const { stage, reason, expiresAtMs } = pin;
  return `${stage} is pinned to ${fixedText(pin)} until ${clockText(expiresAtMs)}${reason === "" ? "" : `: ${reason}`}`;
}

/** The figures of now. @param explained the newest decision that was explained; null: none was yet. */
export function tiles(
  { board, slo, stages, lastMinute }: LiveView,
  explained: ExplainedDecision | null,
): readonly Node[] {
  const plan = board?.plan ?? null;
  const forecast = board?.forecast ?? null;
  const ready = stages.reduce((sum, stage) => sum + stage.replicasReady, 0);
  const asked = stages.reduce((sum, stage) => sum + stage.replicasNow, 0);
  const queued = stages.reduce((sum, stage) => sum + stage.queuedRows, 0);
  return [
    tile(
      "load",
      board?.load ? `${number(board.load.rateRps)} rps` : "no data",
      forecast
        ? `at most ${number(forecast.peakRps[2])} in the next ${Math.round(forecast.horizonMs / 1000)} s, at 95 %`
        : "no forecast",
    ),
    tile(
      "accuracy",
      plan ? (board?.served?.accuracy == null ? accuracyText(plan) : percent(board.served.accuracy)) : "–",
      plan
        ? `${board?.served?.accuracy == null ? "" : `served; planned ${accuracyText(plan)}, `}${effectiveText(plan)}, by the plan${expectedText(plan)}${estimatedText(board)}`
        : "",
    ),
    tile("cores", plan ? number(plan.cores) : "–", plan ? savings(plan, explained) : ""),
    latencyTile(slo, plan, lastMinute),
    tile("replicas", `${ready} of ${asked}`, `ready; ${number(queued)} rows wait`),
  ];
}

/** The accuracy that is expected over the load that may come, where lighter variants serve a part of it. */
function expectedText({ mix, reasons }: Plan): string {
  return !reasons.includes("expected") && mix?.isAccuracyKnown && !mix.isAsPlanned
    ? `; ${percent(mix.accuracy)} expected with lighter variants`
    : "";
}

/** What the answers of late show, beside what was measured of the variants that gave them. */
function estimatedText(board: LiveView["board"]): string {
  if (!board?.estimated) return "";
  const { accuracy, measured, labels } = board.estimated;
  const by = labels >= 1 ? `by ${number(Math.round(labels))} labels and estimate` : "by estimate";
  return `; of late ${percent(accuracy)} ${by}, ${percent(measured)} as measured`;
}

/** Measured where the gateway says, predicted where it does not. Budget: the share of requests that the SLO lets be late or fail. */
function latencyTile(slo: LiveView["slo"], plan: Plan | null, lastMinute: LiveView["lastMinute"]): HTMLElement {
  const predicted = plan ? `${number(plan.latencyMs)} ms` : "–";
  const limit = `SLO ${number(slo.latencyMs)} ms for ${percent(slo.quantile)}`;
  if (!lastMinute?.latencyMs) return tile("latency, predicted", predicted, limit);
  const { ended, inTime, latencyMs } = lastMinute;
  const missed = 1 - inTime / ended;
  const burn = slo.quantile < 1 ? `, ${Number((missed / (1 - slo.quantile)).toPrecision(2))} × the budget` : "";
  return tile(
    "latency, 99 % of a minute",
    `${number(latencyMs.p99)} ms`,
    `${limit}, predicted ${predicted}; ${percent(missed)} late or failed${burn}`,
  );
}

function savings(
  plan: { readonly costPerHour: number | null; readonly cores: number },
  explained: ExplainedDecision | null,
): string {
  const cost = plan.costPerHour === null ? "" : `${number(plan.costPerHour)} an hour; `;
  if (!explained) return cost;
  const { heaviest } = explained.analysis;
  if (!heaviest.feasible) return `${cost}the heaviest variants can't keep the SLO`;
  const { plan: then } = explained;
  const share = 1 - then.cores / heaviest.cores;
  const saved = share > 0 ? `: ${percent(share)} saved` : "";
  return `${cost}${number(heaviest.cores)} with the heaviest variants${saved}`;
}

function tile(name: string, value: string, note: string): HTMLElement {
  return element(
    "div",
    { class: "tile" },
    element("h2", {}, name),
    element("p", { class: "value" }, value),
    element("p", { class: "note" }, note),
  );
}

export function conditions({ board }: LiveView): readonly Node[] {
  const told = board?.conditions ?? [];
  return [
    element(
      "ul",
      { class: "conditions" },
      ...told.map(({ type, status, message }) =>
        element("li", {}, element("b", {}, `${type}: ${status ? "yes" : "no"}`), message === "" ? "" : `, ${message}`),
      ),
    ),
  ];
}
