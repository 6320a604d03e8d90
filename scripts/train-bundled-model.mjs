// Trains predictor/bundled-model.json on generated loads alone, in twelve minutes: npm run train:bundled
// `-- --check` fails when it comes out otherwise. It is the same on every machine.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { bundledTrainingCells } = await import("../dist/predictor/training/bundled-training.js");
const { HORIZONS_SECONDS } = await import("../dist/predictor/target-forecaster.js");
const { modelToJson } = await import("../dist/predictor/network/network-model.js");
const { trainModel } = await import("../dist/predictor/training/train-model.js");
const { openBackend } = await import("../dist/predictor/network/backend.js");

const LOADS = 1500;
const SECONDS_EACH = 4 * 3600;

const cells = bundledTrainingCells(LOADS, SECONDS_EACH);
console.log(`${LOADS} loads, ${cells.length} cells`);
const { model, horizons } = await trainModel(await openBackend(["wasm"]), cells, {
  features: "recent",
  horizonsSeconds: HORIZONS_SECONDS,
  seeds: [1, 2, 3],
  epochs: 8,
  mostRows: 300_000,
  rivals: [],
  onBatch: () => null,
});
for (const { horizonSeconds, rows, loss } of horizons) console.log(`${horizonSeconds} s: ${rows} rows, loss ${loss}`);

const path = join(root, "predictor/bundled-model.json");
const text = `${JSON.stringify(modelToJson(model))}\n`;
if (!process.argv.includes("--check")) writeFileSync(path, text);
else if (readFileSync(path, "utf8") !== text) {
  console.error(`${path} is not what this training gives: run npm run train:bundled and commit it`);
  process.exit(1);
}
