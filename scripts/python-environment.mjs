// A Python environment with pinned packages, made once and kept in a cache folder that its requirements name.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The folder of the environment, or why there is none: `{ folder, reason }`. */
export function findPython(requirements, who) {
  const version = spawnSync("python3", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return { folder: null, reason: "it needs python3 with venv and pip" };
  const key = createHash("sha256").update(readFileSync(requirements)).update(version.stdout).digest("hex").slice(0, 16);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "variscale/python");
  const folder = join(cache, `made-${key}`);
  if (existsSync(folder)) return { folder };
  // An environment can't be moved: it is made in a folder of its own, and is there for others when a link leads to it.
  mkdirSync(cache, { recursive: true });
  const own = mkdtempSync(join(cache, `${key}-`));
  console.log(`${who}: making a Python environment in ${own}`);
  const steps = [
    ["python3", "-m", "venv", own],
    [join(own, "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements],
  ];
  for (const [command, ...args] of steps) {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status === 0) continue;
    rmSync(own, { recursive: true, force: true });
    const said = `${stdout}${stderr}`.trim().replace(/\s+/g, " ").slice(-300);
    return { folder: null, reason: `${[command, ...args].join(" ")} failed: ${said}` };
  }
  try {
    symlinkSync(own, folder);
  } catch {
    // Another run was faster.
    rmSync(own, { recursive: true, force: true });
  }
  return { folder };
}
