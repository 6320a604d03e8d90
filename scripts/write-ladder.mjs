// Writes the picture of the two ends of the ladder into README.md, from pipelines/id-card/measurements.json: node scripts/write-ladder.mjs [--check]
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What comes with npm alone, and what each is called. */
const LOW = { detection: ["v4-640", "640 × 448"], recognition: ["v4", "PP-OCRv4"] };
const HIGH = { detection: ["v4-256", "256 × 256"], recognition: ["small", "small CNN"] };
const BOX_WIDTH = 14;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readme = join(root, "README.md");
const { stages, fanOut, accuracy, machine } = JSON.parse(
  readFileSync(join(root, "pipelines/id-card/measurements.json"), "utf8"),
);
for (const [stage, [variant]] of [LOW, HIGH].flatMap(Object.entries))
  if (!stages[stage]?.[variant])
    throw new Error(
      `pipelines/id-card/measurements.json has no variant ${variant} of ${stage}: change LOW or HIGH in scripts/write-ladder.mjs`,
    );
const low = measured(LOW);
const high = measured(HIGH);

const boxes = [low.boxes, high.boxes];
const sides = line => boxes.map(([detection, recognition]) => [detection[line], recognition[line]]);
const row = (line, between, middle) =>
  `   ${sides(line)
    .map(([detection, recognition]) => `│${cell(detection)}│${between}│${cell(recognition)}│`)
    .join(middle)}`;
const edge = (left, right) => {
  const box = `${left}${"─".repeat(BOX_WIDTH)}${right}`;
  return `   ${box}   ${box}       ${box}   ${box}`;
};
const picture = [
  "              low load                                  high load",
  edge("┌", "┐"),
  row(0, "   ", "       "),
  row(1, "──►", "  ⇄    "),
  row(2, "   ", "       "),
  edge("└", "┘"),
  `        ${low.right.padEnd(41)}${Math.round(low.cardMs / high.cardMs)} × the load, ${high.right}`,
  "              ▲                                         ▲",
  "              └────────── one control loop ─────────────┘",
  "     load → forecast → exact optimiser → KEDA: replicas",
  "                                       → switchers: a ladder of variants, one for each batch",
].join("\n");
const source = `Measured on ${machine.cores} × ${machine.cpu} with ${low.items} cards ([the pipeline](pipelines/id-card/README.md#what-was-measured)); the load by what a whole card takes.`;

const before = readFileSync(readme, "utf8");
const marks = /(<!-- ladder: .*? -->\n)[\s\S]*?(<!-- end of ladder -->)/;
if (!marks.test(before)) throw new Error("README.md has no marks for the ladder");
const after = before.replace(
  marks,
  (_all, start, end) => `${start}\n\`\`\`text\n${picture}\n\`\`\`\n\n${source}\n\n${end}`,
);
if (after !== before) {
  if (process.argv.includes("--check")) {
    console.error("README.md: the ladder is not as it was measured: node scripts/write-ladder.mjs");
    process.exit(1);
  }
  writeFileSync(readme, after);
}

/** What stands in the boxes of both stages, the service time of a whole card's rows one by one, and the share of cards that are right. */
function measured({ detection: [detector, size], recognition: [recogniser, name] }) {
  const detectMs = rowMs("detection", detector);
  const lineMs = rowMs("recognition", recogniser);
  const combination = accuracy.combinations.find(
    ({ variants }) => variants.detection === detector && variants.recognition === recogniser,
  );
  return {
    boxes: [
      ["detection", size, `${short(detectMs)} ms`],
      ["recognition", name, `${short(lineMs)} ms a line`],
    ],
    cardMs: detectMs + fanOut.recognition.rowsByVariant[detector] * lineMs,
    right: `${Math.round(100 * combination.accuracy)} of 100 cards right`,
    items: combination.items,
  };
}

function rowMs(stage, variant) {
  return stages[stage][variant].points.find(({ batch }) => batch === 1).latencyMs;
}

function short(ms) {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

function cell(text) {
  return ` ${text.padEnd(BOX_WIDTH - 1)}`;
}
