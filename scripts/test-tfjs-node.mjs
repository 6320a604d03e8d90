// `npm run test:tfjs-node [-- mocha options]`: the tests of training on the native TensorFlow. Install it first:
// scripts/install-tfjs-node.sh
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SPECS = [
  "dist/test/predictor/backends.test.js",
  "dist/test/predictor/bundled-model.test.js",
  "dist/test/predictor/network.test.js",
  "dist/test/predictor/train-model.test.js",
  "dist/test/predictor/train-network.test.js",
  "dist/test/scaler/forecasting/forecast-trainer.test.js",
];

try {
  createRequire(import.meta.url).resolve("@tensorflow/tfjs-node");
} catch {
  console.error("test:tfjs-node failed: @tensorflow/tfjs-node is not installed; run scripts/install-tfjs-node.sh");
  process.exit(1);
}
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const options = [
  "--no-config",
  "--forbid-only",
  "--timeout",
  "60000",
  "--require",
  "./dist/test/support/no-telemetry.js",
];
const ended = spawnSync(process.execPath, [mocha, ...options, ...process.argv.slice(2), ...SPECS], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, VARISCALE_TEST_BACKEND: "tensorflow" },
});
process.exit(ended.status ?? 1);
