// `npm run test:chart [-- mocha options]`: the chart under a real Helm, built from its Go module into a cache. Without Go it is skipped,
// but fails where CI is set. VARISCALE_HELM names a Helm of your own.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clusterTools, missingGo } from "./cluster-tools.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const missing = process.env.VARISCALE_HELM ? null : missingGo();
if (missing !== null) {
  const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
  console.log(`test:chart ${isCi ? "failed" : "skipped"}: it needs ${missing}`);
  process.exit(isCi ? 1 : 0);
}
const helm = process.env.VARISCALE_HELM || join((await clusterTools(["helm"])).helm, "bin/helm");
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const ended = spawnSync(process.execPath, [mocha, "--config", "test/chart/.mocharc.json", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, VARISCALE_HELM: helm },
});
process.exit(ended.status ?? 1);
