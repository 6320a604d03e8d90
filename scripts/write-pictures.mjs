// Writes docs/pictures/*.svg: node scripts/write-pictures.mjs [--check]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const STYLE = `svg{color-scheme:light dark}text{font:14px system-ui,sans-serif;fill:#1a2330}.small{font-size:12px;fill:#526071}
rect{fill:#f4f6f9;stroke:#8a97a8}.main{fill:#dfe9fb;stroke:#2f6fdb}path{fill:none;stroke:#526071;stroke-width:1.4}.dash{stroke-dasharray:5 4}
.point{fill:#8a97a8}.chosen{fill:#2f6fdb}
@media (prefers-color-scheme:dark){text{fill:#e4e9ef}.small{fill:#9aa8b8}rect{fill:#1b222b;stroke:#5d6b7b}.main{fill:#1d2c47}path{stroke:#9aa8b8}}`;

const box = (x, y, width, height, lines, kind = "") =>
  `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>${lines
    .map(
      (line, i) =>
        `<text${i > 0 ? ' class="small"' : ""} x="${x + width / 2}" y="${y + 24 + 18 * i}" text-anchor="middle">${line}</text>`,
    )
    .join("")}`;
const arrow = (d, label, x, y, kind = "") =>
  `<path class="${kind}" d="${d}" marker-end="url(#end)"/>${label ? `<text class="small" x="${x}" y="${y}" text-anchor="middle">${label}</text>` : ""}`;
const picture = (width, height, title, description, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">
<title id="title">${title}</title>
<desc id="description">${description}</desc>
<style>${STYLE}</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" style="fill:#526071;stroke:none"/></marker></defs>
${parts.join("\n")}
</svg>
`;

const PICTURES = {
  "loop.svg": picture(
    760,
    330,
    "The control loop",
    "Clients send requests to the gateway, which sends rows to the switchers of two stages. The gateway tells the scaler the load. The scaler forecasts, plans and publishes: KEDA reads replicas and sets them, switchers are told their ladders and choose a variant for each batch.",
    [
      box(20, 220, 110, 60, ["clients"]),
      box(190, 220, 130, 60, ["gateway", "code of the pipeline"]),
      box(400, 220, 150, 60, ["stage 1", "switchers × n"]),
      box(600, 220, 140, 60, ["stage 2", "switchers × m"]),
      box(
        190,
        30,
        360,
        78,
        ["scaler", "load → forecast → plan → rungs → transition", "every second; plans every 10 s"],
        "main",
      ),
      box(600, 30, 140, 78, ["KEDA", "and its HPA"]),
      arrow("M130 250H188"),
      arrow("M320 250H398", "rows", 358, 242),
      arrow("M550 250H598", "", 0, 0),
      arrow("M255 220V110", "load", 236, 170),
      arrow("M550 70H598", "replicas", 575, 60),
      arrow("M470 108V218", "ladders", 440, 150),
      arrow("M500 220V110", "reports", 530, 188),
      arrow("M520 108 650 218", "", 0, 0),
      arrow("M690 108V218", "sets", 708, 170, "dash"),
    ],
  ),
  "time-scales.svg": picture(
    760,
    240,
    "Two time scales",
    "A rise in load: replicas serve lighter variants that they have in memory within milliseconds; more replicas follow half a minute later; once they are ready, the heavier variant is served again.",
    [
      '<path d="M40 190H730" marker-end="url(#end)"/><text class="small" x="724" y="210" text-anchor="end">time</text>',
      '<path d="M40 150H180C210 150 210 60 240 60H720" style="stroke:#c2410c"/><text class="small" x="110" y="142" text-anchor="middle">load</text>',
      '<path class="dash" d="M215 40V190M250 40V190M470 40V190"/>',
      '<text class="small" x="212" y="34" text-anchor="end">load rises</text>',
      '<text class="small" x="255" y="34">within milliseconds: lighter variants</text>',
      '<text class="small" x="475" y="34">replicas are ready: heavier again</text>',
      '<path d="M40 170H250V180H470V165H720" style="stroke:#2f6fdb"/><text class="small" x="110" y="184" text-anchor="middle">accuracy</text>',
      '<path d="M40 120H470V85H720"/><text class="small" x="110" y="114" text-anchor="middle">replicas</text>',
    ],
  ),
  "choice.svg": picture(
    760,
    300,
    "A plan is a point",
    "Plans by cores and accuracy at one load. Those that no other beats in both form a front from few cores and low accuracy to many cores and high accuracy. The chosen one has the highest accuracy for its price within the limit on cores; plans beyond the limit are not possible.",
    [
      '<path d="M70 250H730" marker-end="url(#end)"/><path d="M70 250V30" marker-end="url(#end)"/>',
      '<text class="small" x="724" y="276" text-anchor="end">cores of all replicas</text><text class="small" x="62" y="26">accuracy that is in time</text>',
      '<path d="M110 220 190 150 290 105 420 82 600 70"/>',
      ...[
        [110, 220],
        [190, 150],
        [290, 105],
        [420, 82],
        [600, 70],
      ].map(
        ([x, y], i) => `<circle class="${i === 2 ? "chosen" : "point"}" cx="${x}" cy="${y}" r="${i === 2 ? 7 : 4}"/>`,
      ),
      ...[
        [240, 190],
        [350, 160],
        [330, 210],
        [480, 140],
      ].map(([x, y]) => `<circle class="point" cx="${x}" cy="${y}" r="2.5"/>`),
      '<path class="dash" d="M500 30V250"/><text class="small" x="508" y="44">limit on cores</text>',
      '<text x="270" y="88" text-anchor="end">chosen</text><text class="small" x="110" y="240" text-anchor="middle">lightest</text><text class="small" x="600" y="62" text-anchor="middle">heaviest</text>',
      '<text class="small" x="345" y="205">beaten in both</text>',
    ],
  ),
};

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs/pictures");
const isCheck = process.argv.includes("--check");
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(PICTURES)) {
  const path = join(folder, name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  if (isCheck) {
    console.error(`docs/pictures/${name} is not what the script writes: node scripts/write-pictures.mjs`);
    process.exit(1);
  }
  writeFileSync(path, text);
}
