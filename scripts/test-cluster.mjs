// `npm run test:cluster [-- --part=1/2] [mocha options]`: mocha with test/cluster inside namespaces of its own, where a real Kubernetes and a
// real KEDA are started as plain processes. Whatever happens to this process, nothing stays behind: the namespaces end with their first
// process, which ends when this one is gone. Without what it needs it is skipped, but fails where CI is set. Two runs with `--part=1/2` and
// `--part=2/2` may run beside each other after `npm run build`, with VARISCALE_BUILT=1: each would build by itself otherwise, and remove what
// the other one runs.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clusterTools, missingGo } from "./cluster-tools.mjs";
import { partOf } from "./part-of.mjs";
import { findPrometheus } from "./prometheus-package.mjs";

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
/** Holds everything that a run writes: memory, mounted where nobody else sees it. */
const state = join(root, "dist/test/cluster/state");
const INSIDE = "--inside";
/** Every address of the cluster; on the loopback device all of it is this machine. */
const NETWORK = "10.77.0.1/16";
const COMMANDS = ["unshare", "nsenter", "mount", "chroot", "ip", "iptables", "openssl"];
const CLOSE_WITHIN_MS = 15_000;

if (process.argv[2] === INSIDE) runInside(process.argv.slice(3));
else await runOutside(process.argv.slice(2));

async function runOutside(args) {
  const mochaArgs = partOf(args, testFiles());
  const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
  // As the tools of test:image.
  if (isCi && isRootOnLinux() && !isCommand("iptables")) install("iptables");
  const prometheus = findPrometheus();
  const missing = missingThings();
  if (prometheus.folder === null) missing.push(`a Prometheus (${prometheus.reason})`);
  if (missing.length > 0) {
    console.log(`test:cluster ${isCi ? "failed" : "skipped"}: it needs ${missing.join(", ")}`);
    process.exit(isCi ? 1 : 0);
  }
  const built = await clusterTools(["etcd", "kubernetes", "kwok", "keda", "helm", "coredns"]);
  const tools = { ...built, prometheus: prometheus.folder };
  mkdirSync(state, { recursive: true });
  const namespaces = ["--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"];
  const child = spawn("unshare", [...namespaces, process.execPath, self, INSIDE, ...mochaArgs], {
    // When this process is gone, the pipe ends.
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, VARISCALE_CLUSTER_TOOLS: JSON.stringify(tools) },
  });
  child.stdin.on("error", () => undefined);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      child.stdin.end();
      setTimeout(() => child.kill("SIGKILL"), CLOSE_WITHIN_MS).unref();
    });
  }
  child.once("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function testFiles() {
  const folder = "dist/test/cluster";
  if (!existsSync(join(root, folder))) {
    console.error(`test:cluster failed: ${folder} is not there; run \`npm run build\` first`);
    process.exit(1);
  }
  const names = readdirSync(join(root, folder)).filter(name => name.endsWith(".test.js"));
  return names.sort().map(name => `${folder}/${name}`);
}

/** The first process of the namespaces: all others end with it. */
function runInside(mochaArgs) {
  run("mount", "-t", "tmpfs", "-o", "mode=0755", "variscale-test", state);
  run("ip", "link", "set", "lo", "up");
  run("ip", "address", "add", NETWORK, "dev", "lo");
  // Names resolve to addresses of the cluster, and nothing waits for a name server that can't be reached.
  writeFileSync(join(state, "hosts"), "127.0.0.1 localhost\n");
  writeFileSync(join(state, "resolv.conf"), "");
  for (const name of ["hosts", "resolv.conf"]) {
    const target = join("/etc", name);
    if (existsSync(target)) run("mount", "--bind", join(state, name), realpathSync(target));
  }
  const temporary = join(state, "tmp");
  mkdirSync(temporary);
  // For benchmarks: another script that wants the namespaces and the programs.
  const script = process.env.VARISCALE_CLUSTER_SCRIPT;
  const mocha = [join(root, "node_modules/mocha/bin/mocha.js"), "--config", "test/cluster/.mocharc.json"];
  const child = spawn(process.execPath, [...(script ? [script] : mocha), ...mochaArgs], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, VARISCALE_CLUSTER_STATE: state, TMPDIR: temporary },
  });
  child.once("exit", code => process.exit(code ?? 1));
  process.stdin.on("close", () => process.exit(130)).resume();
  // Ctrl-C reaches every process of the terminal; the one outside decides.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
}

function missingThings() {
  if (process.platform !== "linux") return ["Linux"];
  const missing = COMMANDS.filter(name => !isCommand(name)).map(name => `the command ${name}`);
  const go = missingGo();
  if (go !== null) missing.unshift(go);
  if (!isRootOnLinux()) missing.unshift("root, for namespaces of its own");
  return missing;
}

function isRootOnLinux() {
  return process.platform === "linux" && process.getuid() === 0;
}

/** Where it can't be installed it is missing. Of two parts that want it at once, the second finds it there. */
function install(name) {
  console.log(`test:cluster: installing ${name}`);
  const command = `command -v ${name} || { apt-get update -qq; apt-get install -o DPkg::Lock::Timeout=300 -y -qq --no-install-recommends ${name}; }`;
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("flock", [self, "sh", "-c", command], { stdio: "ignore", env });
}

function isCommand(name) {
  const folders = `${process.env.PATH}:/usr/sbin:/sbin`.split(":");
  return folders.some(folder => folder !== "" && existsSync(folder) && readdirSync(folder).includes(name));
}

function run(command, ...args) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}
