import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { scalerNodeFlags } from "../../bench/scaler-node-flags.ts";
import { switcherEnvironment } from "../../runtime/switcher-environment.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

/** A thread that has begun, then much that lives for a while: the size of the young generation, in bytes. */
const PROGRAM = `
  const { Worker } = await import("node:worker_threads");
  const { getHeapSpaceStatistics } = await import("node:v8");
  const { once } = await import("node:events");
  const thread = new Worker("", { eval: true });
  await once(thread, "exit");
  const living = [];
  for (let i = 0; i < 400_000; i++) living.push({ i, list: [i] });
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  process.stdout.write(String(young.space_size));
`;

/** The largest young generation under `--max-semi-space-size=1`: two halves. */
const MOST_BYTES = 2 * 2 ** 20;

describe("the environment of a switcher", () => {
  it("holds the young generation to a megabyte, also after a thread has begun", () => {
    const env = { ...process.env, ...switcherEnvironment({}) };
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", PROGRAM], { env, encoding: "utf8" });
    assert.ok(Number(stdout) > 0 && Number(stdout) <= MOST_BYTES, stdout);
  });

  it("keeps options for Node that are there already, above its own", () => {
    const given = switcherEnvironment({ NODE_OPTIONS: "--max-semi-space-size=4" });
    assert.equal(given.NODE_OPTIONS, "--max-semi-space-size=1 --max-semi-space-size=4");
    assert.equal(given.MALLOC_ARENA_MAX, "2");
  });
});

describe("the start of a scaler", () => {
  it("gives Node flags that it knows, and a young generation of a megabyte", () => {
    const flags = scalerNodeFlags();
    const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, "--input-type=module", "-e", PROGRAM], {
      encoding: "utf8",
    });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.ok(flags.length === 2 && Number(stdout) > 0 && Number(stdout) <= MOST_BYTES, stdout);
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
