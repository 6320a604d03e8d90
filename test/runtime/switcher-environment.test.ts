import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { switcherEnvironment } from "../../runtime/switcher-environment.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const SMALL_HEAP = new URL("../../runtime/small-heap.js", import.meta.url).href;

/** A thread that has begun, then much that lives for a while: what the young generation has grown to, in bytes. */
const PROGRAM = `
  const { keepHeapSmall, keepHeapSmallAgain } = await import(${JSON.stringify(SMALL_HEAP)});
  const { Worker } = await import("node:worker_threads");
  const { getHeapSpaceStatistics } = await import("node:v8");
  const { once } = await import("node:events");
  keepHeapSmall();
  const thread = new Worker("", { eval: true });
  await once(thread, "exit");
  if (process.argv[1] === "again") keepHeapSmallAgain();
  const living = [];
  for (let i = 0; i < 400_000; i++) living.push({ i, list: [i] });
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  process.stdout.write(String(young.space_size));
`;

/** Objects that live for a while, a hundred megabytes after each other: how often the heap was marked. */
const LIVING_PROGRAM = `
  const { keepHeapSmall, markHeapSoon } = await import(${JSON.stringify(SMALL_HEAP)});
  const { PerformanceObserver, constants } = await import("node:perf_hooks");
  keepHeapSmall();
  const [how] = process.argv.slice(1);
  if (how === "once") {
    markHeapSoon();
    await new Promise(resolve => setTimeout(resolve, 300));
  }
  let marked = 0;
  const count = list => { for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) marked++; };
  new PerformanceObserver(count).observe({ entryTypes: ["gc"] });
  gc();
  const living = Array.from({ length: 20_000 });
  for (let i = 0; i < 2_500_000; i++) {
    living[i % living.length] = { i, list: [i, i, i, i] };
    if (i % 1000 !== 0) continue;
    if (how === "always") markHeapSoon();
    await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  process.stdout.write(String(marked));
`;

describe("a heap that is to be marked soon", () => {
  it("is marked more often, and as usual a moment later", () => {
    const marks = (how: string): number => {
      const args = ["--expose-gc", "--max-semi-space-size=1", "--input-type=module", "-e", LIVING_PROGRAM, how];
      return Number(spawnSync(process.execPath, args, { encoding: "utf8" }).stdout);
    };
    const [never, always, once] = [marks("never"), marks("always"), marks("once")];
    const counts = `${never} by itself, ${always} when asked for all the time, ${once} after it was asked for`;
    assert.ok(never >= 4 && always >= 1.5 * never && once <= 1.3 * never, counts);
  });
});

describe("a heap that is kept small", () => {
  it("grows again once a thread has begun, but where it is told to stay so", () => {
    const youngBytes = (how: string): number =>
      Number(spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM, how], { encoding: "utf8" }).stdout);
    const [grown, again] = [youngBytes("grown"), youngBytes("again")];
    assert.ok(again > 0 && again <= 2 * 2 ** 20 && grown >= 8 * 2 ** 20, `${again} and ${grown} bytes`);
  });
});

describe("the environment of a switcher", () => {
  it("holds the young generation to a megabyte, also after a thread has begun", () => {
    const env = { ...process.env, ...switcherEnvironment({}) };
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], { env, encoding: "utf8" });
    // Two halves.
    assert.ok(Number(stdout) > 0 && Number(stdout) <= 2 * 2 ** 20, stdout);
  });

  it("keeps options for Node that are there already, above its own", () => {
    const given = switcherEnvironment({ NODE_OPTIONS: "--max-semi-space-size=4" });
    assert.equal(given.NODE_OPTIONS, "--max-semi-space-size=1 --max-semi-space-size=4");
    assert.equal(given.MALLOC_ARENA_MAX, "2");
  });
});

describe("the image's command", () => {
  let folder: TestFolder;

  before(function () {
    if (process.platform === "win32") this.skip();
    folder = new TestFolder();
    writeFileSync(join(folder.path, "node"), "#!/bin/sh\nenv\n", { mode: 0o755 });
  });
  after(() => folder?.delete());

  /** What Node would be started with. */
  const started = (command: string, env: NodeJS.ProcessEnv) => {
    const PATH = `${folder.path}:${process.env["PATH"]}`;
    const script = join(packageFolder, "scripts/variscale.sh");
    const { stdout } = spawnSync(script, [command], { env: { ...env, PATH }, encoding: "utf8" });
    return Object.fromEntries(stdout.split("\n").map(line => line.split(/=(.*)/s).slice(0, 2)));
  };
  const ours = ({ NODE_OPTIONS, MALLOC_ARENA_MAX }: NodeJS.ProcessEnv) => ({ NODE_OPTIONS, MALLOC_ARENA_MAX });

  it("starts a switcher with the same", () => {
    for (const before of [{}, { NODE_OPTIONS: "--max-semi-space-size=4 --inspect" }])
      assert.deepEqual(ours(started("switcher", before)), ours(switcherEnvironment(before)));
    assert.equal(started("switcher", { MALLOC_ARENA_MAX: "5" })["MALLOC_ARENA_MAX"], "5");
  });

  it("leaves the environment of others alone", () => {
    const before = { NODE_OPTIONS: "--inspect", MALLOC_ARENA_MAX: "5" };
    assert.deepEqual(ours(started("gateway", before)), before);
    assert.deepEqual(ours(started("gateway", {})), ours({}));
  });
});
