// `npm run test:page [-- mocha options]`: mocha with test/page, the live page in a real Chromium: VARISCALE_TEST_CHROMIUM, or that of Debian's
// package, which is installed where CI is set and root runs it. Where there is none it is skipped, but fails where CI is set.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCi = !["", "0", "false"].includes(process.env.CI ?? "");

const found = findChromium();
if (found.path === null) {
  console.log(`test:page ${isCi ? "failed" : "skipped"}: ${found.reason}`);
  process.exit(isCi ? 1 : 0);
}
const mocha = join(root, "node_modules/mocha/bin/mocha.js");
const ended = spawnSync(process.execPath, [mocha, "--config", "test/page/.mocharc.json", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, VARISCALE_TEST_CHROMIUM: found.path },
});
process.exit(ended.status ?? 1);

/** The program, or why there is none. */
function findChromium() {
  const given = process.env.VARISCALE_TEST_CHROMIUM;
  if (given) return existsSync(given) ? { path: given } : missing(`VARISCALE_TEST_CHROMIUM: there is no ${given}`);
  for (const name of ["playwright-core", "axe-core"])
    if (!existsSync(join(root, "node_modules", name))) return missing(`${name} is not installed: npm ci`);
  const path = "/usr/bin/chromium";
  if (existsSync(path)) return { path };
  if (!isCi || process.getuid?.() !== 0) return missing(`there is no ${path}: apt-get install chromium`);
  console.log("test:page: installing Debian's chromium");
  const install = ["install", "-qq", "-y", "--no-install-recommends", "chromium"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = args => spawnSync("apt-get", args, { env, encoding: "utf8" });
  const installed = apt(install).status === 0 || (apt(["update", "-qq"]).status === 0 && apt(install).status === 0);
  if (installed && existsSync(path)) return { path };
  return missing(`apt-get install chromium failed: ${apt(install).stderr.trim().split("\n").slice(-3).join("; ")}`);
}

function missing(reason) {
  return { path: null, reason };
}
