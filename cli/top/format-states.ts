import { fixedText } from "../../explanation/change-text.ts";
import { fanOutText, ladderText, number, percent, rowSharesText } from "../../explanation/number-text.ts";
import { formatTable } from "../format-table.ts";
import { plainText } from "../plain-text.ts";
import type { PipelineState } from "./pipeline-state.ts";

const HEADER = [
  "pipeline",
  "mode",
  "load rps",
  "forecast",
  "accuracy",
  "planned",
  "p99 ms",
  "SLO ms",
  "cores",
  "stage",
  "variant",
  "batch",
  "replicas",
  "serves",
  "ready",
  "queue",
  "rows",
];
const PIPELINE_COLUMNS = 9;
const LEFT = [0, 1, 9, 10, 13];

/**
 * One line for each stage, its pipeline's figures on the first; below, what is not as it should be.
 *
 * @param columns that there is room for: a table that is wider becomes two, of pipelines and of stages. Null: there is no limit.
 */
export function formatStates(states: readonly PipelineState[], columns: number | null): string {
  if (states.length === 0) return "no pipeline to show";
  const notes = states.flatMap(state => notesOf(state).map(note => `${state.pipeline}: ${plainText(note)}`));
  const table = formatTable(HEADER, states.flatMap(linesOf), LEFT);
  const isTooWide = columns !== null && table.split("\n").some(line => line.length > columns);
  const rungs = states.flatMap(describeRungs);
  const below = [rungs, notes].filter(lines => lines.length > 0).flatMap(lines => ["", ...lines]);
  return [isTooWide ? twoTables(states) : table, ...below].join("\n");
}

/** One line for each stage whose replicas have more than one rung. */
function describeRungs({ pipeline, stages }: PipelineState): readonly string[] {
  return stages.flatMap(({ ladder, ...shares }) =>
    ladder && ladder.rungs.length > 1
      ? [plainText(`${pipeline}: rungs of ${shares.stage}: ${ladderText({ ladder, ...shares })}`)]
      : [],
  );
}

function twoTables(states: readonly PipelineState[]): string {
  const [ofPipeline, ofStage] = [HEADER.slice(0, PIPELINE_COLUMNS), HEADER.slice(PIPELINE_COLUMNS)];
  const stages = states.flatMap(state =>
    linesOf(state).map((line, i) => [i === 0 ? plainText(state.pipeline) : "", ...line.slice(PIPELINE_COLUMNS)]),
  );
  return [
    formatTable(ofPipeline, states.map(pipelineCells), [0, 1]),
    "",
    formatTable(["pipeline", ...ofStage], stages, [0, 1, 2, 5]),
  ].join("\n");
}

function linesOf(state: PipelineState): readonly (readonly string[])[] {
  const ofPipeline = pipelineCells(state);
  return state.stages.flatMap((stage, s) => {
    const parts = stage.parts.length > 0 ? stage.parts : [null];
    return parts.map((part, p) => [
      ...(s === 0 && p === 0 ? ofPipeline : Array.from({ length: PIPELINE_COLUMNS }, () => "")),
      p === 0 ? plainText(stage.stage) : "",
      part ? plainText(part.variant) : "–",
      part ? String(part.batch) : "–",
      part ? String(part.replicas) : "–",
      p === 0 ? plainText(servingText(stage)) : "",
      p === 0 ? `${stage.replicasReady}/${stage.replicasNow}` : "",
      p === 0 ? String(stage.queuedRows) : "",
      p === 0 ? fanOutText(stage.fanOut) : "",
    ]);
  });
}

function servingText({ serving, rowShares }: PipelineState["stages"][number]): string {
  if (serving.length === 0) return "–";
  const replicasText = serving.map(({ variant, replicas }) => `${variant} × ${replicas}`).join(" + ");
  const lighter = rowShares.filter(({ variant }) => serving.every(other => other.variant !== variant));
  return lighter.length > 0 ? `${replicasText}, ${rowSharesText(lighter)}` : replicasText;
}

function pipelineCells(state: PipelineState): readonly string[] {
  const { loadRps, forecast, accuracy, servedAccuracy, feasible, lastMinute, slo, cores } = state;
  const isServed = state.stages.every(({ serving }) => serving.length > 0);
  const shown = (value: number | null | undefined): string => (value == null ? "–" : number(value));
  return [
    plainText(state.pipeline),
    state.mode,
    shown(loadRps),
    shown(forecast?.p95Rps),
    accuracyCell(servedAccuracy, isServed && feasible !== null && accuracy === null),
    accuracyCell(accuracy, feasible !== null),
    shown(lastMinute?.p99Ms),
    number(slo.latencyMs),
    shown(cores),
  ];
}

function accuracyCell(accuracy: number | null, isThere: boolean): string {
  if (accuracy !== null) return percent(accuracy);
  return isThere ? "not measured" : "–";
}

function notesOf(state: PipelineState): readonly string[] {
  const pins = state.pins.map(pin => {
    const { stage, by, expiresAtMs } = pin;
    const until = new Date(expiresAtMs).toISOString().slice(0, 19);
    return `stage ${stage} is pinned to ${fixedText(pin)} until ${until}Z${by === "" ? "" : ` by ${by}`}`;
  });
  return [...state.problems, ...pins];
}
