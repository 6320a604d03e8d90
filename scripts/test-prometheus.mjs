// `npm run test:prometheus [-- mocha options]`: mocha with test/prometheus against a real Prometheus, unpacked from Debian's package into a
// cache folder of its version: nothing is installed, no service is started and no root is needed. Where there is no apt it is skipped, but
// fails where CI is set.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

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

/** The folder that the package was unpacked into, or why there is none. */
function findPrometheus() {
  for (const command of ["apt-get", "apt-cache", "dpkg"]) {
    if (spawnSync(command, ["--version"]).status !== 0) return missing(`it needs ${command}, as Debian has it`);
  }
  const version = candidate() ?? (spawnSync("apt-get", ["update", "-qq"]).status === 0 ? candidate() : null);
  if (version === null) return missing("apt knows no package `prometheus`: `apt-get update` as root may help");
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "variscale/prometheus");
  const folder = join(cache, version.replace(/[^\w.+~-]/g, "_"));
  if (!existsSync(folder)) {
    const problem = unpack(version, cache, folder);
    if (problem !== null) return missing(problem);
  }
  return { folder };
}

function missing(reason) {
  return { folder: null, reason };
}

function candidate() {
  const { stdout } = spawnSync("apt-cache", ["policy", "prometheus"], { encoding: "utf8" });
  const version = /Candidate: (\S+)/.exec(stdout ?? "")?.[1];
  return version === undefined || version === "(none)" ? null : version;
}

/** Moved to its place when it is whole, so that a run that is ended leaves nothing half unpacked. */
function unpack(version, cache, folder) {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "unpacking-"));
  try {
    console.log(`test:prometheus: unpacking prometheus ${version} into ${folder}`);
    const download = spawnSync("apt-get", ["download", "-q", `prometheus=${version}`], { cwd: work, encoding: "utf8" });
    const archive = readdirSync(work).find(name => name.endsWith(".deb"));
    if (download.status !== 0 || archive === undefined) return `apt-get download failed: ${oneLine(download.stderr)}`;
    const extract = spawnSync("dpkg", ["-x", archive, "unpacked"], { cwd: work, encoding: "utf8" });
    if (extract.status !== 0) return `dpkg -x failed: ${oneLine(extract.stderr)}`;
    renameSync(join(work, "unpacked"), folder);
    return null;
  } catch (error) {
    // Another run was first.
    return existsSync(folder) ? null : String(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function oneLine(text) {
  return text.trim().replace(/\s+/g, " ").slice(0, 300);
}
