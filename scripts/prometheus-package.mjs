// Finds Debian's Prometheus, unpacked into a cache folder of its version: nothing is installed, no service is started and no root is needed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder that the package was unpacked into, or why there is none. */
export function findPrometheus() {
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
    console.log(`unpacking prometheus ${version} into ${folder}`);
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
