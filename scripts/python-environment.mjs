// A Python environment with pinned packages, made once and kept in a cache folder that its requirements name.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder of the environment, or why there is none: `{ folder, reason }`. */
export function findPython(requirements, who) {
  const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return { folder: null, reason: "it needs python3 with venv and pip" };
  const key = createHash("sha256").update(readFileSync(requirements)).update(version.stdout).digest("hex").slice(0, 16);
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "variscale/python", key);
  // An environment can't be moved, so that it is whole is said by a file.
  const whole = join(folder, "whole");
  if (existsSync(whole)) return { folder };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  console.log(`${who}: making a Python environment in ${folder}`);
  const steps = [
    ["python3", "-m", "venv", folder],
    [join(folder, "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements],
  ];
  for (const [command, ...args] of steps) {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status === 0) continue;
    const said = `${stdout}${stderr}`.trim().replace(/\s+/g, " ").slice(-300);
    return { folder: null, reason: `${[command, ...args].join(" ")} failed: ${said}` };
  }
  writeFileSync(whole, "");
  return { folder };
}
