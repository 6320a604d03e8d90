import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { adoptEarlierState, defaultModelFolder, upStateFolder } from "../../cli/folders.ts";
import { lockFolder } from "../../runtime/folder-lock.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { TestFolder } from "../support/switcher-harness.ts";
import { runVariscale } from "./support/run-variscale.ts";
import { writeTinyPipeline } from "./support/tiny-pipeline.ts";

describe("defaultModelFolder()", () => {
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  function checkout(name: string, edit: (text: string) => string = text => text): string {
    const path = join(folder.path, name);
    mkdirSync(path);
    writeTinyPipeline(path);
    const file = join(path, "pipeline.yaml");
    writeFileSync(file, edit(readFileSync(file, "utf8")));
    return defaultModelFolder({ XDG_CACHE_HOME: "/cache" }, readPipeline(file));
  }

  it("is the same for the same model files, wherever the pipeline is and whatever else it says", () => {
    const first = checkout("a");
    assert.match(first, /^\/cache\/variscale\/models\/default\/tiny-[0-9a-f]{12}$/);
    assert.equal(checkout("b"), first);
    assert.equal(
      checkout("c", text => text.replace('"latencyMs": 5000', '"latencyMs": 6000')),
      first,
    );
  });

  it("is another one for other bytes or another name of a model, so that checkouts never write over each other's", () => {
    const first = checkout("a");
    const otherBytes = checkout("b", text => text.replace(/"sha256": "[0-9a-f]{64}"/, `"sha256": "${"0".repeat(64)}"`));
    const otherName = checkout("c", text => text.replace("first-heavy.onnx", "first-large.onnx"));
    assert.equal(new Set([first, otherBytes, otherName]).size, 3);
  });
});

describe("upStateFolder()", () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  const key = { namespace: "default", name: "tiny" };
  const make = (name: string): string => {
    mkdirSync(join(folder.path, name));
    writeTinyPipeline(join(folder.path, name));
    return upStateFolder({ XDG_STATE_HOME: join(folder.path, "state") }, join(folder.path, name, "pipeline.yaml"), key);
  };

  it("is another one for a pipeline of the same name elsewhere", () => {
    const [first, second] = [make("a"), make("b")];
    assert.match(first, /state\/variscale\/up\/default_tiny-[0-9a-f]{12}$/);
    assert.notEqual(first, second);
  });

  const env = (): NodeJS.ProcessEnv => ({ XDG_STATE_HOME: join(folder.path, "state") });
  const keepEarlier = (text: string): string => {
    const path = join(folder.path, "state/variscale/pipelines/default_tiny.json");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };

  it("writes nothing until its lock is held", () => {
    keepEarlier("kept");
    assert.equal(existsSync(make("a")), false);
  });

  it("begins with what an earlier version kept under the name alone, once for each name", () => {
    const before = keepEarlier("kept");
    const first = make("a");
    adoptEarlierState(env(), first, key);
    assert.equal(readFileSync(join(first, "pipelines/default_tiny.json"), "utf8"), "kept");
    assert.equal(readFileSync(before, "utf8"), "kept");
    // The project moves.
    renameSync(join(folder.path, "a"), join(folder.path, "b"));
    const moved = upStateFolder(env(), join(folder.path, "b", "pipeline.yaml"), key);
    adoptEarlierState(env(), moved, key);
    assert.notEqual(moved, first);
    assert.equal(existsSync(moved), false);
  });

  it("takes no copy of earlier state that was broken off, and begins with nothing where there is none", () => {
    const first = make("a");
    keepEarlier("kept");
    mkdirSync(join(`${first}.copy`, "pipelines"), { recursive: true });
    writeFileSync(join(`${first}.copy`, "pipelines/other.json"), "half");
    adoptEarlierState(env(), first, key);
    assert.deepEqual(readdirSync(join(first, "pipelines")), ["default_tiny.json"]);
    assert.equal(existsSync(`${first}.copy`), false);
    const other = { namespace: "default", name: "other" };
    adoptEarlierState(env(), `${first}-other`, other);
    assert.equal(existsSync(`${first}-other`), false);
  });
});

describe("the state folder of `variscale scaler`", () => {
  it("has one writer", async () => {
    const folder = new TestFolder();
    writeTinyPipeline(folder.path);
    const state = join(folder.path, "state");
    const lock = await lockFolder(state, "another scaler");
    const ports = ["--keda-port=0", "--switcher-port=0", "--http-port=0"];
    const file = join(folder.path, "pipeline.yaml");
    try {
      for (const mode of ["off", "lease"]) {
        const args = ["scaler", file, "--state-dir", state, "--ha", mode, ...ports];
        const { status, stderr } = await runVariscale(args);
        assert.equal(status, 1, mode);
        assert.match(stderr, /is in use by another scaler \(pid/, mode);
      }
    } finally {
      await lock.release();
      folder.delete();
    }
  });
});
