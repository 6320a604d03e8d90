// Builds the programs of the test cluster from their Go modules (test/cluster/tools) into a cache, and prints where they are.
//   node scripts/cluster-tools.mjs [module…]
// One folder a module, named after what it was built from, so that a change builds anew; it appears there when it is whole. A build that
// was interrupted goes on where Go's own build cache stands. Needs Go 1.26 or newer; the first build takes about twenty minutes on two cores.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "test/cluster/tools");
const LEAST_GO = [1, 26];
const REPORT_EVERY_MS = 15_000;

/**
 * Without cgo all modules share what Go has built, and the programs need no library of the machine. A compiler that collects its garbage less often
 * takes a sixth less time.
 */
const GO_ENV = {
  GOGC: "400",
  CGO_ENABLED: "0",
  GOFLAGS: "-buildvcs=false -mod=readonly",
  GOTOOLCHAIN: "local",
  GOWORK: "off",
};

/** `copy`: folders of a module, [module, folder there, name here]. `version`: what the programs must say that they are. */
const MODULES = {
  etcd: {},
  kubernetes: { version: "k8s.io/kubernetes" },
  kwok: { copy: [["sigs.k8s.io/kwok", "kustomize/stage", "stage"]] },
  keda: { copy: [["github.com/kedacore/keda/v2", "config/crd/bases", "crd"]] },
  helm: {},
  coredns: {},
};

/** Why the programs can't be built here, in one sentence; null: they can. */
export function missingGo() {
  const found = goVersion();
  const [major, minor] = found?.split(".").map(Number) ?? [0, 0];
  if (major > LEAST_GO[0] || (major === LEAST_GO[0] && minor >= LEAST_GO[1])) return null;
  return `Go ${LEAST_GO.join(".")} or newer (found: ${found ?? "none"})`;
}

/** The folder of each module, built where it is not in the cache. */
export async function clusterTools(names = Object.keys(MODULES)) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "variscale/cluster-tools");
  mkdirSync(cache, { recursive: true });
  removeLeftovers(cache);
  const folders = {};
  for (const name of names) {
    const folder = join(cache, `${name}-${keyOf(name)}`);
    if (!existsSync(folder)) await build(name, cache, folder);
    folders[name] = folder;
  }
  return folders;
}

function goVersion() {
  const go = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8", env: { ...process.env, GOTOOLCHAIN: "local" } });
  return go.status === 0 ? (/^go(\d+\.\d+)/.exec(go.stdout)?.[1] ?? null) : null;
}

/** Of everything that the programs are made from. */
function keyOf(name) {
  const hash = createHash("sha256").update(JSON.stringify([MODULES[name], GO_ENV, process.arch, goVersion()]));
  for (const file of readdirSync(join(sources, name)).sort()) hash.update(readFileSync(join(sources, name, file)));
  return hash.digest("hex").slice(0, 16);
}

async function build(name, cache, folder) {
  const startMs = Date.now();
  const unfinished = join(cache, `.building-${process.pid}-${name}`);
  mkdirSync(join(unfinished, "bin"), { recursive: true });
  try {
    say(name, "fetching modules");
    const packages = await go(name, ["list", "-deps", "tool"], "modules fetched", /^go: downloading/);
    const total = packages.trim().split("\n").length;
    const flags = ["-trimpath", "-ldflags", ldflags(name), "-v", "-o", `${join(unfinished, "bin")}/`, "tool"];
    await go(name, ["build", ...flags], `packages built, of ${total} at most`, /^[\w.]+(\/|$)/);
    for (const [module, from, to] of MODULES[name].copy ?? []) {
      const source = (await go(name, ["list", "-m", "-f", "{{.Dir}}", module], "", /^$/)).trim();
      cpSync(join(source, from), join(unfinished, to), { recursive: true });
    }
    // Another run may have been faster.
    if (!existsSync(folder)) renameSync(unfinished, folder);
    say(name, `built in ${Math.round((Date.now() - startMs) / 1000)} s: ${folder}`);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function ldflags(name) {
  const { version } = MODULES[name];
  if (version === undefined) return "-s -w";
  const found = new RegExp(`^\\s+${version} v((\\d+)\\.(\\d+)\\.\\S+)`, "m").exec(modFile(name));
  const set = (field, value) => `-X k8s.io/component-base/version.${field}=${value}`;
  return ["-s -w", set("gitVersion", `v${found[1]}`), set("gitMajor", found[2]), set("gitMinor", found[3])].join(" ");
}

function modFile(name) {
  return readFileSync(join(sources, name, "go.mod"), "utf8");
}

/** Runs Go in a module's folder; counts the lines on standard error that match and tells of them now and then. */
function go(name, args, what, counted) {
  return new Promise((settle, fail) => {
    const child = spawn("go", args, { cwd: join(sources, name), env: { ...process.env, ...GO_ENV } });
    let output = "";
    let count = 0;
    const complaints = [];
    child.stdout.on("data", chunk => {
      output += chunk;
    });
    createInterface({ input: child.stderr }).on("line", line => {
      if (counted.test(line)) count += 1;
      else complaints.push(line);
    });
    const timer = setInterval(() => say(name, `${count} ${what}`), REPORT_EVERY_MS);
    const end = error => {
      clearInterval(timer);
      if (error === null) settle(output);
      else fail(new Error(`cluster tools: ${name}: go ${args[0]}: ${error}\n${complaints.slice(-30).join("\n")}`));
    };
    child.once("error", error => end(error.message));
    child.once("close", (code, signal) => end(code === 0 ? null : `ended with ${code ?? signal}`));
  });
}

/** Of runs that were killed. */
function removeLeftovers(cache) {
  for (const entry of readdirSync(cache)) {
    const pid = /^\.building-(\d+)-/.exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(cache, entry), { recursive: true, force: true });
  }
}

function say(name, text) {
  console.error(`cluster tools: ${name}: ${text}`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  const unknown = names.find(name => !Object.hasOwn(MODULES, name));
  const problem = unknown === undefined ? missingGo() : `one of ${Object.keys(MODULES).join(", ")}, not \`${unknown}\``;
  if (problem !== null) {
    console.error(`cluster tools: needs ${problem}`);
    process.exit(1);
  }
  const folders = await clusterTools(names.length > 0 ? names : undefined);
  for (const [name, folder] of Object.entries(folders)) console.log(`${name}\t${folder}`);
}
