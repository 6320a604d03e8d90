// `npm run test:clients [-- mocha options]`: mocha with test/clients against other people's clients and servers, from a Python environment
// with the versions of test/clients/requirements.txt, made once in a cache folder. Where there is no Python it is skipped, but fails where
// CI is set.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPython } from "./python-environment.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const found = findPython(join(root, "test/clients/requirements.txt"), "test:clients");
if (found.folder === null) {
  const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
  console.log(`test:clients ${isCi ? "failed" : "skipped"}: ${found.reason}`);
  process.exit(isCi ? 1 : 0);
}
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const ended = spawnSync(process.execPath, [mocha, "--config", "test/clients/.mocharc.json", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, VARISCALE_TEST_PYTHON: found.folder },
});
process.exit(ended.status ?? 1);
