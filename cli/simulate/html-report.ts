import { formatKey } from "../../domain/pipeline.ts";
import type { TimelineRow } from "../../simulator/timeline.ts";
import { COLUMNS, cellsOfResult, type SimulationPage } from "./report.ts";
import type { SimulationResult } from "./run-all.ts";

const WIDTH = 960;
const MARGIN = { left: 64, right: 12, top: 10, bottom: 22 };
const COLOURS = ["#2f6fdb", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4d7c0f"];

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1a2330;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem;margin:.8rem 0 .2rem;font-weight:600}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;text-align:right;border-bottom:1px solid #d8dee6}th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#526071}.grid{stroke:#e3e8ee}.line{fill:none;stroke-width:1.4}
.scroll{overflow-x:auto}
@media (prefers-color-scheme:dark){body{color:#e4e9ef;background:#11161d}th,td{border-color:#2b3541}text{fill:#9aa8b8}.grid{stroke:#232c37}}`;

/** One page with its pictures in it: nothing is fetched. */
export function simulationHtml(page: SimulationPage): string {
  const title = `${formatKey(page.pipeline)} under ${page.load}`;
  const first = page.results.filter(({ seed }) => seed === page.results[0]?.seed);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${escaped(title)}</h1>
<p>Simulated: the scaler's own control loop on a virtual clock. Shares are of all requests that were offered; effective accuracy counts what is late, dropped or lost as wrong.</p>
<div class="scroll"><table><thead><tr>${COLUMNS.map(name => `<th>${name}</th>`).join("")}</tr></thead><tbody>${page.results.map(result => row(result, page.isAccuracyKnown)).join("")}</tbody></table></div>
${page.isAccuracyKnown ? `<h2>Accuracy against cost</h2>\n${frontier(page.results)}` : "<p>Accuracy was not measured of every variant, so that none is shown.</p>"}
${first.map(section).join("\n")}
</body>
</html>
`;
}

function row(result: SimulationResult, isAccuracyKnown: boolean): string {
  return `<tr>${cellsOfResult(result, isAccuracyKnown)
    .map(cell => `<td>${escaped(cell)}</td>`)
    .join("")}</tr>`;
}

function frontier(results: readonly SimulationResult[]): string {
  const height = 280;
  const most = Math.max(1e-9, ...results.map(({ summary }) => summary.cores)) * 1.05;
  const least = Math.min(...results.map(({ summary }) => summary.effectiveAccuracy));
  const floor = Math.max(0, Math.floor(least * 10) / 10);
  const x = (cores: number): number => MARGIN.left + (cores / most) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (share: number): number =>
    height - MARGIN.bottom - ((share - floor) / (1 - floor || 1)) * (height - MARGIN.top - MARGIN.bottom);
  const marks = [0, 0.25, 0.5, 0.75, 1].map(
    share =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(floor + share * (1 - floor)).toFixed(1)}" y2="${y(floor + share * (1 - floor)).toFixed(1)}"/><text x="${MARGIN.left - 8}" y="${y(floor + share * (1 - floor)).toFixed(1)}" text-anchor="end" dominant-baseline="middle">${(100 * (floor + share * (1 - floor))).toFixed(0)} %</text><text x="${x(share * most).toFixed(1)}" y="${height - 4}" text-anchor="middle">${(share * most).toFixed(1)}</text>`,
  );
  const names = [...new Set(results.map(({ policy }) => policy))];
  const points = results.map(({ policy, summary, seed }) => {
    const colour = COLOURS[names.indexOf(policy) % COLOURS.length];
    const isFirst = seed === results[0]?.seed;
    const [px, py] = [x(summary.cores).toFixed(1), y(summary.effectiveAccuracy).toFixed(1)];
    return `<circle cx="${px}" cy="${py}" r="5" fill="${colour}" fill-opacity="${isFirst ? 1 : 0.45}"/>${isFirst ? `<text x="${px}" y="${(y(summary.effectiveAccuracy) - 9).toFixed(1)}" text-anchor="middle">${escaped(policy)}</text>` : ""}`;
  });
  return svg(height, "Effective accuracy against mean cores", `${marks.join("")}${points.join("")}`);
}

function section({ policy, timeline }: SimulationResult): string {
  const stages = timeline[0]?.stages.length ?? 0;
  const replicas = Array.from({ length: stages }, (_, s) => (at: TimelineRow) => at.stages[s]?.ready ?? null);
  const plots = [
    plot("requests a second: offered, and the forecast of the peak", timeline, [
      at => at.offeredRps,
      at => at.forecastRps,
    ]),
    plot("accuracy of what was answered, and share late, dropped or lost, in %", timeline, [
      at => (at.accuracy === null ? null : 100 * at.accuracy),
      at => (at.violations === null ? null : 100 * at.violations),
    ]),
    plot("cores", timeline, [at => at.cores]),
    plot("ready replicas by stage", timeline, replicas),
  ];
  return `<h2>${escaped(policy)}</h2>\n${plots.join("\n")}\n${variants(timeline)}`;
}

function plot(
  title: string,
  timeline: readonly TimelineRow[],
  series: readonly ((row: TimelineRow) => number | null)[],
): string {
  const height = 150;
  const values = series.flatMap(of => timeline.map(of)).filter(value => value !== null);
  const top = Math.max(1e-9, ...values);
  const last = timeline.at(-1)?.fromSecond ?? 1;
  const x = (second: number): number =>
    MARGIN.left + (second / Math.max(1, last)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number => height - MARGIN.bottom - (value / top) * (height - MARGIN.top - MARGIN.bottom);
  const grid = [0, 0.5, 1].map(share => {
    const at = y(share * top).toFixed(1);
    return `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${MARGIN.left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${Number((share * top).toPrecision(3))}</text>`;
  });
  const times = [0, 0.5, 1].map(
    (share, i) =>
      `<text x="${x(share * last).toFixed(1)}" y="${height - 4}" text-anchor="${["start", "middle", "end"][i]}">${Math.round(share * last)} s</text>`,
  );
  const lines = series.map((of, i) => {
    const points = timeline.flatMap(at => {
      const value = of(at);
      return value === null ? [] : [`${x(at.fromSecond).toFixed(1)},${y(value).toFixed(1)}`];
    });
    return `<polyline class="line" stroke="${COLOURS[i % COLOURS.length]}" points="${points.join(" ")}"/>`;
  });
  return `<h3>${escaped(title)}</h3>${svg(height, title, grid.join("") + times.join("") + lines.join(""))}`;
}

/** Which variants served how much of the rows when, one line for each stage. */
function variants(timeline: readonly TimelineRow[]): string {
  const stages = timeline[0]?.stages.length ?? 0;
  const names = [...new Set(timeline.flatMap(({ stages: all }) => all.flatMap(stage => Object.keys(stage.rows))))];
  const step = (WIDTH - MARGIN.left - MARGIN.right) / Math.max(1, timeline.length);
  const bars = Array.from({ length: stages }, (_, s) =>
    timeline.map((at, i) => {
      const rows = Object.entries(at.stages[s]?.rows ?? {});
      const all = rows.reduce((sum, [, count]) => sum + count, 0);
      let y = s * 24 + 4;
      return rows
        .map(([name, count]) => {
          const height = (16 * count) / all;
          const title = `${at.fromSecond} s: ${name} ${((100 * count) / all).toFixed(0)} %`;
          const bar = `<rect x="${(MARGIN.left + i * step).toFixed(1)}" y="${y.toFixed(1)}" width="${(step + 0.3).toFixed(1)}" height="${height.toFixed(1)}" fill="${COLOURS[names.indexOf(name) % COLOURS.length]}"><title>${escaped(title)}</title></rect>`;
          y += height;
          return bar;
        })
        .join("");
    }),
  );
  const labels = bars.map((_, s) => `<text x="0" y="${s * 24 + 16}">stage ${s + 1}</text>`);
  const key = names.map((name, i) => `<tspan fill="${COLOURS[i % COLOURS.length]}"> ■ ${escaped(name)}</tspan>`);
  const height = stages * 24 + 24;
  return `<h3>variants that served, by their shares of the rows</h3>${svg(height, "Variants by stage over time", `${bars.flat().join("")}${labels.join("")}<text x="${MARGIN.left}" y="${height - 6}">${key.join("")}</text>`)}`;
}

function svg(height: number, title: string, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}"><title>${escaped(title)}</title>${content}</svg>`;
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"]/g,
    character => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character] ?? "",
  );
}
