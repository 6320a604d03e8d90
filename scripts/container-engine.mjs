// What can build and run an image here: docker, podman, or a stand-in for both on machines that reach no container registry.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const BASE_SCRIPT = join(root, "scripts/stand-in-base.sh");
const STAND_IN_TOOLS = ["buildah", "podman", "crun", "debootstrap"];
const PULL_TIMEOUT_MS = 120_000;
const FOLDERS = ["/usr/sbin", "/sbin"];

/** Root's tools are found also where the user's PATH leaves them out. */
export const toolEnv = { ...process.env, PATH: [process.env.PATH, ...FOLDERS].join(":") };

const isRoot = () => process.getuid?.() === 0;
const answers = (command, ...args) =>
  spawnSync(command, args, { stdio: "ignore", timeout: PULL_TIMEOUT_MS, env: toolEnv }).status === 0;

/** The base image that the Dockerfile names. */
export function baseImage() {
  return /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8"))[1];
}

/**
 * `{ kind: "docker" | "podman" | "stand-in" }`, or `{ kind: "none", why }`. An engine that can't get the base image is none.
 * @param install whether what a stand-in needs may be installed by apt-get.
 */
export function findEngine(install) {
  for (const kind of ["docker", "podman"]) {
    if (!answers(kind, "info")) continue;
    if (answers(kind, "image", "inspect", baseImage()) || answers(kind, "pull", baseImage())) return { kind };
  }
  if (process.platform !== "linux" || !isRoot())
    return { kind: "none", why: "a container engine that gets the base image (docker, podman), or root on Linux" };
  const missing = STAND_IN_TOOLS.filter(name => !answers("sh", "-c", `command -v ${name}`));
  if (missing.length === 0) return { kind: "stand-in" };
  if (install && installTools(missing)) return { kind: "stand-in" };
  return { kind: "none", why: `a container engine that gets the base image, or: apt-get install ${missing.join(" ")}` };
}

/** Another program that installs something beside this one is waited for. */
const WAIT = ["-o", "DPkg::Lock::Timeout=300"];

function installTools(names) {
  console.log(`test:image: installing ${names.join(", ")}`);
  const options = { stdio: ["ignore", "ignore", "inherit"], env: { ...toolEnv, DEBIAN_FRONTEND: "noninteractive" } };
  if (spawnSync("apt-get", ["update", "-qq"], options).status !== 0) return false;
  return (
    spawnSync("apt-get", ["install", ...WAIT, "-y", "-qq", "--no-install-recommends", ...names], options).status === 0
  );
}

/**
 * The root file system of the stand-in's base image as a tar file, from the cache or made anew.
 */
export function standInBase() {
  const version = /node:([\d.]+)/.exec(baseImage())[1];
  const key = createHash("sha256").update(readFileSync(BASE_SCRIPT)).update(version).digest("hex").slice(0, 16);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "variscale/image-base");
  const file = join(cache, `${key}.tar`);
  mkdirSync(cache, { recursive: true });
  removeLeftovers(cache);
  if (existsSync(file)) return file;
  const folder = join(cache, `.making-${process.pid}`);
  mkdirSync(folder);
  try {
    console.log("test:image: making the stand-in base image (once)");
    const made = spawnSync(BASE_SCRIPT, [version, file, folder], { stdio: "inherit", env: toolEnv });
    if (made.status !== 0) throw new Error(`${BASE_SCRIPT} failed`);
    return file;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of runs that were killed. */
export function removeLeftovers(folder) {
  for (const entry of readdirSync(folder)) {
    const pid = /^\.\w+-(\d+)$/.exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(folder, entry), { recursive: true, force: true });
  }
}

/**
 * Settings by which podman and buildah keep everything in two folders and need neither cgroups nor a network of their own.
 * @param runRoot at most 50 characters: with a longer one podman's own `container cleanup` fails, and every wait for a container's end
 *   takes 20 s.
 * @returns the environment that makes them use it.
 */
export function standInSettings(folder, runRoot) {
  const limit = spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout.trim();
  const files = limit === "unlimited" ? "1048576" : limit;
  writeFileSync(
    join(folder, "storage.conf"),
    `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/storage"\nrunroot = "${runRoot}"\n`,
  );
  writeFileSync(
    join(folder, "containers.conf"),
    `[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=${files}:${files}", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "${folder}/tmp"
`,
  );
  return {
    ...toolEnv,
    CONTAINERS_CONF: join(folder, "containers.conf"),
    CONTAINERS_STORAGE_CONF: join(folder, "storage.conf"),
    TMPDIR: folder,
  };
}
