// Writes what was measured of a pipeline into its README.md: node scripts/write-measurement-tables.mjs pipelines/id-card
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2] ?? "pipelines/id-card";
const readme = join(folder, "README.md");
const { stages, accuracy, fanOut, overhead, machine, date } = JSON.parse(
  readFileSync(join(folder, "measurements.json"), "utf8"),
);

const percent = share => `${(100 * share).toFixed(1)} %`;
const table = (header, lines) =>
  [header, header.map(() => "---"), ...lines].map(cells => `| ${cells.join(" | ")} |`).join("\n");

const variants = Object.entries(stages).flatMap(([stage, profiles]) =>
  Object.entries(profiles).map(([variant, profile]) => [
    stage,
    `\`${variant}\``,
    percent(accuracy.stages[stage][variant].accuracy),
    profile.points.map(point => `${point.batch}: ${point.latencyMs.toFixed(2)}`).join(", "),
    profile.loadMs.toFixed(0),
    profile.memoryMiB.toFixed(0),
  ]),
);
const combinations = accuracy.combinations.map(combination => [
  Object.values(combination.variants)
    .map(variant => `\`${variant}\``)
    .join(" → "),
  percent(combination.accuracy),
  combination.interval.map(percent).join(" to "),
  percent(combination.partAccuracy),
  combination.items,
]);
const rows = Object.entries(fanOut ?? {}).map(
  ([stage, { upstream, rowsByVariant }]) =>
    `Rows of ${stage} for one row of ${upstream}: ${Object.entries(rowsByVariant)
      .map(([variant, mean]) => `${mean.toFixed(1)} with \`${variant}\``)
      .join(", ")}.`,
);
const text = [
  `Measured on ${machine.cores} × ${machine.cpu}, one thread a session, Node ${machine.node}, onnxruntime ${machine.onnxruntime}, ${date.slice(0, 10)}.`,
  table(["stage", "variant", "accuracy on right inputs", "service ms by batch", "load ms", "memory MiB"], variants),
  table(["variants", "items right", "95 % interval", "parts right", "items"], combinations),
  ...rows,
  `The gateway's own work for one request: ${overhead.latencyMs.toFixed(1)} ms of latency, ${overhead.cpuMs.toFixed(1)} ms of CPU time.`,
].join("\n\n");

const marks = /(<!-- measurements: .*? -->\n)[\s\S]*?(<!-- end of measurements -->)/;
const before = readFileSync(readme, "utf8");
if (!marks.test(before)) throw new Error(`${readme} has no marks for the measurements`);
writeFileSync(
  readme,
  before.replace(marks, (_all, start, end) => `${start}\n${text}\n\n${end}`),
);
