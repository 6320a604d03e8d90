import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { defaultModelFolder, upStateFolder } from "../../cli/folders.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { TestFolder } from "../support/switcher-harness.ts";
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

  it("begins with what an earlier version kept under the name alone", () => {
    const before = join(folder.path, "state/variscale/pipelines");
    mkdirSync(before, { recursive: true });
    writeFileSync(join(before, "default_tiny.json"), "kept");
    assert.equal(readFileSync(join(make("a"), "pipelines/default_tiny.json"), "utf8"), "kept");
    assert.equal(readFileSync(join(before, "default_tiny.json"), "utf8"), "kept");
  });
});
