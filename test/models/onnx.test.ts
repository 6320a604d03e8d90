import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import fc from "fast-check";
import { before, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { decodeModel, encodeModel } from "../../models/onnx.ts";
import { recipes } from "../../pipelines/id-card/models.ts";

const files = new Set(
  recipes.flatMap(({ source }) => {
    if (source.kind === "file") return source.path;
    if (source.kind === "python") return [];
    return join(createRequire(import.meta.url).resolve(`${source.package}/node`), "..", source.path);
  }),
);
let smallest: Buffer;

before(() => {
  smallest = readFileSync([...files].find(file => file.includes("nano")) ?? "");
});

describe("decodeModel() and encodeModel()", () => {
  for (const file of files) {
    it(`give back ${file.split("/").at(-1)} byte for byte`, () => {
      const bytes = readFileSync(file);
      assert.ok(bytes.equals(encodeModel(decodeModel(bytes, file))));
    });
  }
});

describe("decodeModel()", () => {
  it("refuses a file that is cut short, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: smallest.length - 1 }), length => {
        assert.throws(() => decodeModel(smallest.subarray(0, length), "cut.onnx"), isClear);
      }),
      { numRuns: 300 },
    );
  });

  it("refuses garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        assert.throws(() => decodeModel(bytes, "garbage.onnx"), isClear);
      }),
      { numRuns: 500 },
    );
  });

  it("reads a damaged file or refuses it, and fails in no other way", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(smallest.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        edits => {
          const bytes = Buffer.from(smallest);
          for (const [at, value] of edits) bytes[at] = value;
          try {
            encodeModel(decodeModel(bytes, "damaged.onnx"));
          } catch (error) {
            assert.ok(isClear(error), String(error));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function isClear(error: unknown): boolean {
  return (
    error instanceof VariscaleError && error.code === "invalid_argument" && /\.onnx .*(check|fetch)/.test(error.message)
  );
}
