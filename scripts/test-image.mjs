// `npm run test:image [-- mocha options]`: builds the image, runs it and looks at how it behaves (test/image). Without an engine it is
// skipped, but fails where CI is set. Nothing stays behind but a cached base image where a stand-in had to be made.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { baseImage, findEngine, removeLeftovers, standInBase, standInSettings, toolEnv } from "./container-engine.mjs";

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
const INSIDE = "--inside";
const TAG = `localhost/variscale-test:${process.pid}`;
/** Images by the Dockerfile's targets; null: all of it. */
const TARGETS = [null, "scaler", "variant-switcher", "gateway", "demo"];
/** All of it a second time, from nothing: test/image/same-build.test.ts compares the two. */
const AGAIN = "again";
const tagOf = target => (target === null ? TAG : `${TAG}-${target}`);

if (process.argv[2] === INSIDE) await runStandIn(...process.argv.slice(3, 6), process.argv.slice(6));
else await runOutside(process.argv.slice(2));

async function runOutside(mochaArgs) {
  const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
  const engine = findEngine(isCi);
  if (engine.kind === "none") {
    console.log(`test:image ${isCi ? "failed" : "skipped"}: it needs ${engine.why}`);
    process.exit(isCi ? 1 : 0);
  }
  if (engine.kind !== "stand-in") return await runEngine(engine.kind, mochaArgs);
  const base = standInBase();
  const folder = ownFolder(join(dirname(base), "runs"));
  const runRoot = ownFolder("/run/variscale");
  // Mounts and processes end with the namespaces, whatever happens.
  const namespaces = ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"];
  // The shell is the first process of the namespaces: unlike Node it clears away processes whose parents are gone.
  const command = [
    "sh",
    "-c",
    '"$@"; exit $?',
    "sh",
    process.execPath,
    self,
    INSIDE,
    base,
    folder,
    runRoot,
    ...mochaArgs,
  ];
  const status = await run("unshare", [...namespaces, ...command], toolEnv, "SIGKILL");
  // Killed processes may be writing still.
  for (const left of [folder, runRoot]) rmSync(left, { recursive: true, force: true, maxRetries: 20 });
  process.exit(status);
}

/** Of this process; those of others that are gone are removed. */
function ownFolder(parent) {
  mkdirSync(parent, { recursive: true });
  removeLeftovers(parent);
  const folder = join(parent, `.run-${process.pid}`);
  mkdirSync(folder);
  return folder;
}

async function runStandIn(base, folder, runRoot, mochaArgs) {
  // The pipe ends when the process outside is gone.
  process.stdin.on("close", () => process.exit(130)).resume();
  // crun refuses a hybrid layout (cgroup v1 beside a cgroup2 with controllers); no cgroup is used here.
  spawnSync("umount", ["/sys/fs/cgroup/unified"], { stdio: "ignore", env: toolEnv });
  const env = standInSettings(folder, runRoot);
  const name = baseImage();
  await must("podman", ["import", "--quiet", "--change", 'CMD ["node"]', base, name], env);
  const buildArgs = ["bud", "--pull-never", "--isolation", "chroot", "--network", "host", "--format", "docker"];
  await buildAll("buildah", [...buildArgs, "--layers", "--quiet"], env);
  process.exit(await test("podman", env, mochaArgs));
}

async function runEngine(command, mochaArgs) {
  try {
    await buildAll(command, ["build", "--quiet"], toolEnv);
    process.exitCode = await test(command, toolEnv, mochaArgs);
  } finally {
    for (const tag of [...TARGETS, AGAIN].map(tagOf)) {
      const left = spawnSync(command, ["ps", "-aq", "--filter", `ancestor=${tag}`], { encoding: "utf8" }).stdout;
      for (const id of left.split("\n").filter(line => line !== ""))
        spawnSync(command, ["rm", "--force", id], { stdio: "ignore" });
      spawnSync(command, ["rmi", "--force", tag], { stdio: "ignore" });
    }
  }
}

/** What targets share is built once. */
async function buildAll(command, args, env) {
  for (const target of TARGETS)
    await build(command, target, [...args, ...(target === null ? [] : ["--target", target])], env);
  await build(command, AGAIN, [...args, "--no-cache"], env);
}

async function build(command, name, args, env) {
  const startMs = Date.now();
  await must(command, [...args, "-t", tagOf(name), root], env);
  const seconds = Math.round((Date.now() - startMs) / 1000);
  console.log(`test:image: ${name ?? "all"} built by ${command} in ${seconds} s`);
}

async function test(command, env, mochaArgs) {
  const mocha = join(root, "node_modules/mocha/bin/mocha.js");
  return await run(process.execPath, [mocha, "--config", "test/image/.mocharc.json", ...mochaArgs], {
    ...env,
    VARISCALE_ENGINE: command,
    VARISCALE_IMAGE: TAG,
  });
}

async function must(command, args, env) {
  const status = await run(command, args, env);
  if (status === 0) return;
  console.error(`test:image: ${command} ${args[0]} failed`);
  process.exit(1);
}

/** Its exit status. A signal to this process becomes one to the child, and its end is waited for. */
function run(command, args, env = toolEnv, signalSent = "SIGTERM") {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ["pipe", "inherit", "inherit"] });
    child.stdin.on("error", () => undefined);
    const pass = () => child.kill(signalSent);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, pass);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, pass);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
