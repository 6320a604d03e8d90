import { changeList } from "./change-list.ts";
import { ChangePanel } from "./change-panel.ts";
import { accuracyDrawing, coresDrawing, latencyDrawing, loadDrawing } from "./charts.ts";
import { clockText, decisionList, explanation } from "./decision-panel.ts";
import { diagram } from "./diagram.ts";
import { byId, element, renderOnChange } from "./element.ts";
import { decisionsOf, extended, type Point } from "./history.ts";
import type { ExplainedDecision, LiveView } from "./live-view.ts";
import { drawPareto } from "./pareto-chart.ts";
import { followPointer } from "./pointed-time.ts";
import { fetchDecision, fetchLive, fetchPipelines, type PipelineName } from "./scaler-client.ts";
import { banners, conditions, headline, tiles } from "./summary.ts";
import { TimeChart } from "./time-chart.ts";
import { TimeSlider } from "./time-slider.ts";
import { drawTimeline } from "./timeline.ts";

const POLL_MS = 1000;
const RETRY_MS = 5000;
/** After a decision that could not be explained. */
const EXPLAIN_AGAIN_MS = 30_000;
/** New pipelines are looked for. */
const LIST_MS = 30_000;

/** What the page shows of one pipeline. */
interface Shown {
  readonly pipeline: PipelineName;
  view: LiveView | null;
  points: readonly Point[];
  /** The newest decision that was explained. */
  newest: ExplainedDecision | null;
  /** Decision that is looked at; null: the newest. */
  picked: string | null;
  pickedDecision: ExplainedDecision | null;
  /** Why there is no explanation; null: there is, or it was not asked for. */
  problem: string | null;
  asking: boolean;
  /** Not asked for again before, where it could not be explained. */
  askAgainAtMs: number;
  /** A time that the pointer is at; null: it is at none. */
  pointedMs: number | null;
}

const select = byId("pipelines") as HTMLSelectElement;
const changePanel = new ChangePanel(byId("change"));
const charts = {
  load: new TimeChart(byId("load")),
  accuracy: new TimeChart(byId("accuracy")),
  cores: new TimeChart(byId("cores")),
  latency: new TimeChart(byId("latency")),
};
const timeListener = {
  onPoint: (atMs: number | null): void => {
    if (shown?.view) pointAt(shown, shown.view, atMs);
  },
  onPress: (atMs: number): void => {
    const decisionId = shown?.points.find(point => point.atMs === atMs)?.decisionId;
    if (shown && decisionId) void pick(shown, decisionId);
  },
};
const slider = new TimeSlider(byId("times"), timeListener);
let shown: Shown | null = null;
let answeredAtMs = Date.now();
let listedAtMs = Number.NEGATIVE_INFINITY;

void run();
addEventListener("hashchange", () => choose(pipelineOfHash()));
addEventListener("resize", () => shown && render(shown));
// What is drawn on a canvas keeps its colours until it is drawn again.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && render(shown));
for (const id of [...Object.keys(charts), "timeline"])
  followPointer(byId(id), { timesOf: () => shown?.points.map(({ atMs }) => atMs) ?? [], ...timeListener });
select.addEventListener("change", () => {
  location.hash = select.value;
});

async function run(): Promise<void> {
  for (;;) {
    let waitMs = POLL_MS;
    try {
      await poll();
      answeredAtMs = Date.now();
    } catch (error) {
      waitMs = RETRY_MS;
      tellFreshness(
        `no answer since ${clockText(answeredAtMs)}: ${error instanceof Error ? error.message : error}`,
        true,
      );
    }
    await new Promise(resolve => setTimeout(resolve, waitMs));
    if (document.hidden) await whenVisible();
  }
}

function whenVisible(): Promise<void> {
  return new Promise(resolve => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
}

async function poll(): Promise<void> {
  if (Date.now() - listedAtMs > LIST_MS) {
    listPipelines(await fetchPipelines());
    listedAtMs = Date.now();
  }
  const current = shown;
  byId("all").className = current ? "" : "empty";
  if (!current) {
    tellFreshness("the scaler has no pipeline", true);
    byId("headline").replaceChildren(
      element("p", { class: "doing" }, "There is no pipeline yet: the first one is shown within half a minute."),
    );
    return;
  }
  const view = await fetchLive(current.pipeline, current.points.at(-1)?.atMs ?? null);
  current.view = view;
  // A clock that was set back: what is known is of a time that is yet to come, and all is asked for anew.
  const isSetBack = view.nowMs < (current.points.at(-1)?.atMs ?? 0);
  current.points = isSetBack ? [] : extended(current.points, view.history);
  if (shown !== current) return;
  tellFreshness(`as of ${clockText(view.nowMs)}`, false);
  render(current);
  void explainNewest(current, view.board?.decisionId ?? null);
}

function listPipelines(pipelines: readonly PipelineName[]): void {
  const values = pipelines.map(hashOf);
  renderOnChange(select, values, () =>
    pipelines.map(({ namespace, name }, i) => element("option", { value: values[i] ?? "" }, `${namespace}/${name}`)),
  );
  const isThere = (pipeline: PipelineName | null) => pipeline !== null && values.includes(hashOf(pipeline));
  const asked = pipelineOfHash();
  if (isThere(asked)) choose(asked);
  else if (!isThere(shown?.pipeline ?? null)) choose(pipelines[0] ?? null);
  // Of options that were made anew the first one is selected.
  if (shown && select.value !== hashOf(shown.pipeline)) select.value = hashOf(shown.pipeline);
}

function choose(pipeline: PipelineName | null): void {
  if (pipeline === null || (shown && hashOf(shown.pipeline) === hashOf(pipeline))) return;
  shown = {
    pipeline,
    view: null,
    points: [],
    newest: null,
    picked: null,
    pickedDecision: null,
    problem: null,
    asking: false,
    askAgainAtMs: 0,
    pointedMs: null,
  };
  select.value = hashOf(pipeline);
  document.title = `${pipeline.name} – variscale`;
}

/** Asks for the explanation of the newest decision, one at a time. */
async function explainNewest(current: Shown, decisionId: string | null): Promise<void> {
  if (decisionId === null || current.asking || current.newest?.decisionId === decisionId) return;
  if (Date.now() < current.askAgainAtMs) return;
  current.asking = true;
  try {
    current.newest = await fetchDecision(current.pipeline, decisionId);
    current.problem = null;
  } catch (error) {
    current.problem = error instanceof Error ? error.message : String(error);
    current.askAgainAtMs = Date.now() + EXPLAIN_AGAIN_MS;
  }
  current.asking = false;
  if (shown === current) render(current);
}

async function pick(current: Shown, decisionId: string | null): Promise<void> {
  current.picked = decisionId;
  current.pickedDecision = null;
  render(current);
  if (decisionId === null) return;
  try {
    const decision = await fetchDecision(current.pipeline, decisionId);
    if (current.picked === decisionId) current.pickedDecision = decision;
  } catch (error) {
    if (current.picked === decisionId) current.problem = error instanceof Error ? error.message : String(error);
  }
  if (shown === current) render(current);
}

function render(current: Shown): void {
  const { view, points, newest, picked, pickedDecision, problem } = current;
  if (!view) return;
  const onPick = (decisionId: string | null): void => void pick(current, decisionId);
  byId("headline").replaceChildren(...headline(view));
  const told = banners(view);
  renderOnChange(
    byId("banners"),
    told.map(node => node.textContent),
    () => told,
  );
  byId("tiles").replaceChildren(...tiles(view, newest));
  drawTimes(current, view);
  byId("diagram").replaceChildren(...diagram(view));
  if (newest) drawPareto(byId("pareto"), newest);
  const decisions = decisionsOf(points);
  renderDecisions(decisions, picked, onPick);
  const explained = picked === null ? newest : pickedDecision;
  const missing = view.board?.decisionId ? "It is being computed." : "Nothing was decided yet.";
  renderOnChange(byId("why"), [explained, problem, missing], () =>
    explained ? explanation(explained) : [element("p", {}, problem ?? missing)],
  );
  renderOnChange(byId("changes"), view.changes, () => changeList(view.changes));
  changePanel.show(view);
  renderOnChange(byId("conditions"), view.board?.conditions ?? [], () => conditions(view));
}

function drawTimes(current: Shown, view: LiveView): void {
  const { points, newest } = current;
  const atMs = points.map(point => point.atMs);
  // What was pointed at is no longer kept.
  if (current.pointedMs !== null && !atMs.includes(current.pointedMs)) current.pointedMs = null;
  charts.load.show(loadDrawing(points), atMs);
  charts.accuracy.show(accuracyDrawing(points), atMs);
  charts.cores.show(coresDrawing(points, newest), atMs);
  charts.latency.show(latencyDrawing(points, view), atMs);
  pointAt(current, view, current.pointedMs);
}

/** Charts have the values of this time; null: of the newest. Nothing but marks and words is drawn anew. */
function pointAt(current: Shown, view: LiveView, pointedMs: number | null): void {
  current.pointedMs = pointedMs;
  const { points, picked } = current;
  for (const chart of Object.values(charts)) chart.pointAt(pointedMs);
  const atMs = points.map(point => point.atMs);
  slider.show(atMs, pointedMs);
  drawTimeline(byId("timeline"), points, view, pointedMs, picked);
}

/** The list is made anew with every decision: the button that had the focus has it again. */
function renderDecisions(
  decisions: ReturnType<typeof decisionsOf>,
  picked: string | null,
  onPick: (decisionId: string | null) => void,
): void {
  const host = byId("decisions");
  const focused = host.contains(document.activeElement) ? document.activeElement?.textContent : null;
  renderOnChange(host, [decisions.slice(0, 8), picked], () => decisionList(decisions, picked, onPick));
  if (focused === null || focused === undefined || host.contains(document.activeElement)) return;
  for (const button of host.querySelectorAll("button")) if (button.textContent === focused) button.focus();
}

function tellFreshness(text: string, isBad: boolean): void {
  const host = byId("freshness");
  host.textContent = text;
  host.className = isBad ? "bad" : "";
  // The time alone must not be read out every second.
  if (isBad) host.setAttribute("role", "alert");
  else host.removeAttribute("role");
}

function hashOf({ namespace, name }: PipelineName): string {
  return `#${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

function pipelineOfHash(): PipelineName | null {
  const parts = location.hash.slice(1).split("/");
  try {
    const [namespace, name] = parts.map(part => decodeURIComponent(part));
    return namespace && name && parts.length === 2 ? { namespace, name } : null;
  } catch {
    return null;
  }
}
