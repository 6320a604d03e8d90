import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { isAlive } from "../cli/support/processes.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { until } from "../support/until.ts";

/** Of what the stages and the compilation ahead do here, by their place in `.ci/run`. */
interface Commands {
  readonly ahead: string;
  readonly build?: string;
  readonly clusterTools?: string;
  readonly page?: string;
  /** Of the stage test, and of what runs beside it. */
  readonly test?: string;
  readonly pure?: string;
  /** Of both parts. */
  readonly cluster?: string;
}

const AUTOGROUP = "/proc/self/autogroup";
/** Never ends by itself, as a compiler that Go has started. */
const HANGS = `sh -c 'echo $$ > compiler; exec sleep 100' & echo $$ > ahead; echo compiling; wait`;

/** Whether the kernel, and who runs this, let `.ci/run` do what it tries. */
const succeeds = (command: string, ...args: readonly string[]) => spawnSync(command, args).status === 0;
/** Of this session, where the kernel has them. */
const autogroup = () => (existsSync(AUTOGROUP) ? readFileSync(AUTOGROUP, "utf8") : null);

describe(".ci/run", () => {
  let folder: TestFolder;
  let running: ChildProcess | null = null;

  before(function () {
    if (process.platform !== "linux") this.skip();
  });

  beforeEach(() => {
    folder = new TestFolder();
    for (const name of ["bin", "scripts", "tmp"]) mkdirSync(join(folder.path, name));
    cpSync(join(packageFolder, ".ci"), join(folder.path, ".ci"), { recursive: true });
    writeScript("scripts/install-tfjs-node.sh", "exit 0");
  });

  afterEach(() => {
    running?.kill("SIGTERM");
    running = null;
    folder.delete();
  });

  function writeScript(name: string, text: string): void {
    writeFileSync(join(folder.path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  /** With the stages' commands in place of npm and Node. */
  async function run(commands: Commands, meanwhile?: () => Promise<void>, program = ".ci/run") {
    const { ahead, clusterTools = "exit 0", build = ":", page = ":", test = ":", pure = ":", cluster = ":" } = commands;
    const stages = [
      ["run build", build],
      ["run test:cluster*", cluster],
      ["run test:page*", page],
      ["test -- --ignore dist/test/@*", test],
      ["test -- --ignore dist/test/!*", pure],
    ];
    const cases = stages.map(([pattern, command]) => `${pattern!.replaceAll(" ", "\\ ")}) ${command};;`).join("\n");
    writeScript("bin/npm", `case "$*" in\n${cases}\nesac\necho '  1 passing (1s)'`);
    writeScript("bin/node", `if [ "$GOMAXPROCS" = 1 ]; then ${ahead}; else ${clusterTools}; fi`);
    const PATH = `${join(folder.path, "bin")}:${process.env["PATH"]}`;
    const child = spawn(join(folder.path, program), {
      env: { PATH, TMPDIR: join(folder.path, "tmp"), VARISCALE_BUILT: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running = child;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", chunk => {
        output += chunk;
      });
    const ended = once(child, "close");
    await meanwhile?.();
    const [status, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    if (running === child) running = null;
    return { status, signal, output };
  }

  const written = (name: string): string => {
    const file = join(folder.path, name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  const untilWritten = (names: readonly string[]) =>
    until(() => running === null || names.every(name => written(name) !== ""));
  const untilGone = (names: readonly string[]) => until(() => names.every(name => !isAlive(Number(written(name)))));

  it("has a nightly run of the same form", async () => {
    const { status, output } = await run({ ahead: "exit 0" }, undefined, ".ci/nightly");
    assert.equal(status, 0, output);
    assert.match(output, /^security +1 passed/m);
    // On a shared machine a missed bar says nothing.
    assert.match(output, /^=== security: .* --report-bars$/m);
    assert.match(output, /^7 passed, 0 failed$/m);
    const failing = await run({ ahead: "exit 0", build: "exit 1" }, undefined, ".ci/nightly");
    assert.equal(failing.status, 1);
    assert.match(failing.output, /^6 passed, 1 failed$/m);
  });

  it("compiles the cluster's programs ahead, while other stages run, in time that nothing else wants", async () => {
    const own = autogroup();
    const { status, output } = await run({
      ahead: "cut -d ' ' -f 19,41 /proc/$$/stat; cat /proc/$$/autogroup; touch compiled",
      page: "while ! [ -e compiled ]; do sleep 0.01; done",
      clusterTools: "test -e compiled",
    });
    assert.equal(status, 0, output);
    assert.match(output, /^21 passed, 0 failed$/m);
    // Its niceness, and SCHED_IDLE.
    assert.match(output, succeeds("chrt", "--idle", "0", "true") ? /^19 5$/m : /^19 \d$/m);
    assert.equal(autogroup(), own, "what the stages have");
    // Of a session of its own, and after the run: one write in a tenth of a second is all that the kernel takes of who is not root.
    if (succeeds("setsid", "sh", "-c", `echo 19 >${AUTOGROUP}`)) assert.match(output, /^\/autogroup-\d+ nice 19$/m);
  });

  it("leaves it to the stage to fail, whatever the compilation ahead did", async () => {
    const failed = await run({
      ahead: "echo no network; touch failed; exit 1",
      page: "while ! [ -e failed ]; do sleep 0.01; done",
    });
    assert.equal(failed.status, 0, failed.output);
    assert.match(failed.output, /^no network$/m);
    const broken = await run({ ahead: "exit 0", clusterTools: "echo can not be built; exit 1" });
    assert.equal(broken.status, 1);
    assert.match(broken.output, /^=== what failed in cluster-tools\ncan not be built$/m);
    assert.match(broken.output, /^20 passed, 1 failed$/m);
  });

  for (const [kernel, file] of [
    ["", "children"],
    [", also where the kernel lists no children", "nothing"],
  ] as const)
    it(`ends a compilation ahead that is not done, with all its processes, before the stage does the rest${kernel}`, async () => {
      const script = join(folder.path, ".ci/run");
      writeFileSync(script, readFileSync(script, "utf8").replace('/children"', `/${file}"`));
      const { status, output } = await run({
        ahead: HANGS,
        page: "while ! [ -s compiler ] || ! [ -s ahead ]; do sleep 0.01; done",
        clusterTools: "! kill -0 $(cat ahead)",
      });
      assert.equal(status, 0, output);
      assert.match(output, /^compiling$/m);
      await untilGone(["ahead", "compiler"]);
    });

  it("counts what runs beside a stage, and shows it after that stage, whichever ends first", async () => {
    for (const [first, then] of [
      ["test", "pure"],
      ["pure", "test"],
    ] as const) {
      const { status, output } = await run({
        ahead: "exit 0",
        [first]: `touch begun-${first}; while ! [ -e begun-${then} ]; do sleep 0.01; done; echo in ${first}; touch ${first}`,
        [then]: `touch begun-${then}; while ! [ -e ${first} ]; do sleep 0.01; done; sleep 0.3; echo in ${then}; rm ${first}`,
      });
      assert.equal(status, 0, output);
      assert.match(output, /^=== test: .*^in test\n.*^=== test: \d+ s\n.*^in pure\n/ms);
      assert.match(output, /^test +1 passed +0 failed +\d+ s\ntest-2 +1 passed +0 failed +\d+ s\n/m);
    }
  });

  it("fails where what runs beside a stage does, and says why", async () => {
    for (const [pure, failing] of [
      ["echo no network; exit 1", 1],
      ["echo '  2 failing'; echo; echo '  1) no network'; exit 2", 2],
      // Without a word of mocha's, nothing ran.
      ["echo no network; exit 0", 1],
    ] as const) {
      const { status, output } = await run({ ahead: "exit 0", pure });
      assert.equal(status, 1);
      assert.match(output, /^=== what failed in test-2\n[^=]*no network$/m);
      assert.match(output, new RegExp(`^\\d+ passed, ${failing} failed$`, "m"));
    }
  });

  it("lets nothing run beside a stage, and all build, where the build failed", async () => {
    const alone = `echo "built: $VARISCALE_BUILT."; mkdir alone || exit 1; sleep 0.2; rmdir alone`;
    const stages = { test: alone, pure: alone, cluster: alone };
    const { status, output } = await run({ ahead: "exit 0", build: "exit 1", ...stages });
    assert.equal(status, 1);
    assert.match(output, /^20 passed, 1 failed$/m, output);
    assert.match(output, /^build +0 passed +1 failed/m);
    assert.equal(output.match(/^built: \.$/gm)?.length, 4, output);
    for (const name of ["test-2", "test", "cluster-2", "cluster"])
      assert.equal(output.match(new RegExp(`^${name} +1 passed +0 failed`, "gm"))?.length, 1, name);
    const failing = await run({ ahead: "exit 0", build: "exit 1", pure: "echo no build; exit 1" });
    assert.match(failing.output, /^=== what failed in test-2\nno build$/m);
    assert.match(failing.output, /^19 passed, 2 failed$/m);
  });

  it("builds once, whatever was built before", async () => {
    const told = `echo "built: $VARISCALE_BUILT."`;
    const { status, output } = await run({
      ahead: "exit 0",
      build: 'test -z "$VARISCALE_BUILT" || exit 1',
      test: told,
      pure: told,
      cluster: told,
    });
    assert.equal(status, 0, output);
    assert.equal(output.match(/^built: 1\.$/gm)?.length, 4, output);
  });

  for (const [what, pids, commands] of [
    ["a stage and the compilation ahead", ["page", "ahead", "compiler"], { page: "echo $$ > page; exec sleep 100" }],
    [
      "a stage and what runs beside it",
      ["test", "beside"],
      { test: "echo $$ > test; exec sleep 100", pure: "echo $$ > beside; exec sleep 100" },
    ],
  ] as const)
    it(`leaves no process and no file when it is ended in ${what}`, async () => {
      const { signal, output } = await run({ ahead: HANGS, ...commands }, async () => {
        await untilWritten(pids);
        running?.kill("SIGTERM");
      });
      assert.equal(signal, "SIGTERM", output);
      await untilGone(pids);
      assert.deepEqual(readdirSync(join(folder.path, "tmp")), []);
    });
});
