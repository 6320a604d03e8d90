// Writes the demo's result into README.md: npm run --silent demo -- --output json | node scripts/write-demo-table.mjs [REPORT]
// REPORT is what `npm run --silent bench -- ladder --only real --output json` printed: the clairvoyant's row comes from it.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatShares } from "../dist/cli/demo/served-shares.js";
import { formatComparison } from "../dist/cli/demo/verdict.js";

const readme = join(dirname(dirname(fileURLToPath(import.meta.url))), "README.md");
const { rows, speedFactors, comparison } = JSON.parse(readFileSync(0, "utf8"));

const percent = value => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
const whole = value => (value === null ? "–" : value.toFixed(0));
const formatServed = row =>
  Object.entries(row.replicas)
    .map(([stage, replicas]) => `${formatShares(row.variants[stage] ?? {})} × ${replicas}`)
    .join(" → ");
const header = [
  "",
  "phase",
  "rps",
  "p50 ms",
  "p95 ms",
  "in SLO",
  "dropped",
  "lost",
  "cards right",
  "fields right",
  "**effective**",
  "lighter",
  "variants × replicas",
];
const line = cells => `| ${cells.join(" | ")} |`;
const lines = rows.map(row =>
  line([
    row.scenario,
    row.phase,
    row.offeredRps.toFixed(1),
    whole(row.p50Ms),
    whole(row.p95Ms),
    percent(row.sloAttainment),
    row.dropped,
    row.lost,
    percent(row.accuracy),
    percent(row.partAccuracy),
    `**${percent(row.effectiveAccuracy)}**`,
    percent(row.lighterShare),
    formatServed(row),
  ]),
);
const [report] = process.argv.slice(2);
if (report !== undefined) lines.push(line(readClairvoyant(JSON.parse(readFileSync(report, "utf8")))));
const cpu = cpus()[0]?.model ?? "unknown CPU";
const date = new Date().toISOString().slice(0, 10);
const caption = `\`npm run demo\` on ${cpus().length} × ${cpu}, ${date}, speed factor ${speedFactors[0].toFixed(2)}:`;
const table = [
  caption,
  "",
  line(header),
  line(header.map((_, i) => (i < 2 || i === header.length - 1 ? "---" : "--:"))),
  ...lines,
  "",
  `${formatComparison(comparison)}.`,
].join("\n");
const text = readFileSync(readme, "utf8");
const marks = /(<!-- demo table: .*? -->\n)[\s\S]*?(<!-- end of demo table -->)/;
if (!marks.test(text)) throw new Error("README.md has no marks for the demo table");
writeFileSync(
  readme,
  text.replace(marks, (_all, start, end) => `${start}\n${table}\n\n${end}`),
);
execFileSync("npx", ["biome", "format", "--write", readme], { stdio: "inherit" });

/** The clairvoyant answers other requests of the same course, so that only its share is known. */
function readClairvoyant({ figures }) {
  const bound = figures.find(({ name }) => name === "ladder.gapClosed")?.against?.["id-card/demo clairvoyant"];
  if (bound === undefined) throw new Error(`${report} has no clairvoyant of id-card/demo: run \`ladder --only real\``);
  const cells = { "": "clairvoyant (a bound)", phase: "whole run", "**effective**": `**${bound.toFixed(1)} %**` };
  return header.map(column => cells[column] ?? "");
}
