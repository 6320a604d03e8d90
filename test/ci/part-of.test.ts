import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";

const FILES = ["a", "b", "c", "d", "e"];

describe("partOf()", () => {
  let partOf: (args: readonly string[], files: readonly string[]) => readonly string[];

  before(async () => {
    ({ partOf } = await import(pathToFileURL(join(packageFolder, "scripts/part-of.mjs")).href));
  });

  it("gives each file to one part, and leaves other arguments as they are", () => {
    for (const parts of [1, 2, 3, 5]) {
      const taken = Array.from({ length: parts }, (_, i) => {
        const [grep, ...ignored] = partOf(["--grep=T1", `--part=${i + 1}/${parts}`], FILES);
        assert.equal(grep, "--grep=T1");
        return FILES.filter(file => !ignored.includes(`--ignore=${file}`));
      });
      assert.deepEqual(taken.flat().toSorted(), FILES);
      assert.ok(taken.every(files => files.length > 0));
    }
    assert.deepEqual(partOf(["--grep=T1"], FILES), ["--grep=T1"]);
  });

  it("refuses a part that there is not", () => {
    for (const arg of ["--part=0/2", "--part=3/2", "--part=1", "--part", "--part=1/6", "--part=a/b"])
      assert.throws(() => partOf([arg], FILES), /must be one of --part=1\/N to --part=N\/N/, arg);
  });
});
