// `npm run test:prometheus [-- mocha options]`: mocha with test/prometheus against a real Prometheus, that of Debian's package. Where there
// is no apt it is skipped, but fails where CI is set.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPrometheus } from "./prometheus-package.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const found = findPrometheus();
if (found.folder === null) {
  const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
  console.log(`test:prometheus ${isCi ? "failed" : "skipped"}: ${found.reason}`);
  process.exit(isCi ? 1 : 0);
}
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const ended = spawnSync(
  process.execPath,
  [mocha, "--config", "test/prometheus/.mocharc.json", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, VARISCALE_TEST_PROMETHEUS: found.folder },
  },
);
process.exit(ended.status ?? 1);
