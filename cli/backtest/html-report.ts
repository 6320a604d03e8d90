import { type LoadTrace, timeText } from "../../load/load-trace.ts";
import type { Backtest, BacktestOutcome } from "../../predictor/backtest.ts";
import type { Outcomes } from "../../predictor/outcomes.ts";
import type { BacktestRow } from "./report.ts";

const WIDTH = 960;
const HEIGHT = 260;
const MARGIN = { left: 56, right: 12, top: 12, bottom: 28 };
/** Of the newest outcomes. */
const SHOWN_MS = 86_400_000;
const MOST_POINTS = 720;

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1a2330;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #d8dee6}th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#526071}
.band{fill:#2f6fdb;fill-opacity:.18}.median{fill:none;stroke:#2f6fdb;stroke-width:1.2}.actual{fill:none;stroke:#c2410c;stroke-width:1.2}.grid{stroke:#e3e8ee}
.key span{display:inline-block;width:1.2rem;height:.7rem;margin:0 .35rem 0 1rem;vertical-align:middle}
@media (prefers-color-scheme:dark){body{color:#e4e9ef;background:#11161d}th,td{border-color:#2b3541}text{fill:#9aa8b8}.grid{stroke:#232c37}}`;

export interface HtmlReport {
  readonly name: string;
  readonly trace: LoadTrace;
  readonly split: string;
  readonly notes: readonly string[];
  readonly result: Backtest;
  readonly rows: readonly BacktestRow[];
}

/** One page with its pictures in it: nothing is fetched. */
export function backtestHtml(report: HtmlReport): string {
  const { result, rows, name, trace, split, notes } = report;
  const horizons = [...new Set(rows.map(({ horizonSeconds }) => horizonSeconds))];
  const sections = horizons.map(horizonSeconds => {
    const ofHorizon = rows.filter(row => row.horizonSeconds === horizonSeconds);
    const shown = result.results.find(
      other => other.horizonSeconds === horizonSeconds && other.name === result.results[0]?.name,
    );
    return `<h2>The highest second of the next ${horizonSeconds} s</h2>\n${shown === undefined ? "" : picture(trace, shown)}\n${table(ofHorizon)}`;
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Backtest of ${escaped(name)}</title><style>${STYLE}</style></head>
<body>
<h1>Backtest of ${escaped(name)}</h1>
<p>Forecasts from ${escaped(split)} on, each made from what was known before it.${notes.map(note => ` ${escaped(note)}`).join("")}</p>
<p class="key"><span style="background:#c2410c"></span>what came<span style="background:#2f6fdb"></span>median<span style="background:#2f6fdb;opacity:.25"></span>up to the 0.95 quantile</p>
${sections.join("\n")}
</body>
</html>
`;
}

function table(rows: readonly BacktestRow[]): string {
  const cell = (value: number | null, digits: number): string =>
    `<td>${value === null ? "–" : value.toFixed(digits)}</td>`;
  const lines = rows.map(
    row =>
      `<tr><td>${escaped(row.forecaster)}</td>${cell(row.smape, 2)}${cell(row.mae, 2)}${cell(row.pinball90, 3)}${cell(row.pinball95, 3)}${cell(row.coverage95, 1)}${cell(row.worstDayCoverage95, 1)}${cell(row.shortfall, 1)}${cell(row.overProvision, 1)}</tr>`,
  );
  return `<table><thead><tr><th>forecaster</th><th>SMAPE %</th><th>MAE rps</th><th>pinball .90</th><th>pinball .95</th><th>coverage %</th><th>worst day %</th><th>short by rps</th><th>over %</th></tr></thead><tbody>${lines.join("")}</tbody></table>`;
}

/** The last day of one forecaster: what came, its median, and the band up to its 0.95 quantile. */
function picture(trace: LoadTrace, shown: BacktestOutcome): string {
  const points = thinned(shown.outcomes);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return "";
  const top = points.reduce((highest, point) => Math.max(highest, point.actual, point.q95), 1);
  const x = (atMs: number): number =>
    MARGIN.left + ((atMs - first.atMs) / Math.max(last.atMs - first.atMs, 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (rps: number): number => HEIGHT - MARGIN.bottom - (rps / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const line = (of: (point: Point) => number): string =>
    points.map(point => `${x(point.atMs).toFixed(1)},${y(of(point)).toFixed(1)}`).join(" ");
  const below = points.toReversed().map(point => `${x(point.atMs).toFixed(1)},${y(point.median).toFixed(1)}`);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(share => {
    const at = y(share * top).toFixed(1);
    return `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${MARGIN.left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${Math.round(share * top)}</text>`;
  });
  const times = [first, points[Math.floor(points.length / 2)] ?? first, last].map(
    (point, i) =>
      `<text x="${x(point.atMs).toFixed(1)}" y="${HEIGHT - 8}" text-anchor="${["start", "middle", "end"][i]}">${timeText(trace, point.atMs).slice(0, 16).replace("T", " ")}</text>`,
  );
  const title = `Requests a second: what came, and the forecast of ${shown.name} for the next ${shown.horizonSeconds} s`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}"><title>${escaped(title)}</title>${grid.join("")}${times.join("")}<polygon class="band" points="${line(point => point.q95)} ${below.join(" ")}"/><polyline class="median" points="${line(point => point.median)}"/><polyline class="actual" points="${line(point => point.actual)}"/></svg>`;
}

interface Point {
  readonly atMs: number;
  readonly actual: number;
  readonly median: number;
  readonly q95: number;
}

/** Of several neighbours the one with the highest peak, so that no burst is lost. */
function thinned(outcomes: Outcomes): readonly Point[] {
  const lastMs = outcomes.atMs.at(-1) ?? 0;
  const from = outcomes.atMs.findIndex(atMs => atMs > lastMs - SHOWN_MS);
  const count = outcomes.length - from;
  const step = Math.ceil(count / MOST_POINTS);
  const points: Point[] = [];
  for (let start = from; start < outcomes.length; start += step) {
    let highest = start;
    for (let i = start; i < Math.min(start + step, outcomes.length); i++)
      if ((outcomes.actualRps[i] ?? 0) > (outcomes.actualRps[highest] ?? 0)) highest = i;
    points.push({
      atMs: outcomes.atMs[highest] ?? 0,
      actual: outcomes.actualRps[highest] ?? 0,
      median: outcomes.medianRps[highest] ?? 0,
      q95: outcomes.q95Rps[highest] ?? 0,
    });
  }
  return points;
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"]/g,
    character => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character] ?? "",
  );
}
