import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { failureText } from "../../cli/failure-text.ts";
import { makeFolder } from "../../cli/make-folder.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const thrownBy = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
};

describe("failureText()", () => {
  it("says what the system refuses, with the fix and without a stack", () => {
    const text = failureText(thrownBy(() => readFileSync("/")));
    assert.equal(text, "EISDIR: illegal operation on a directory, read. It is a folder: name a file.");
    const strange = Object.assign(new Error("ESTRANGE: so it is, open 'x'"), { code: "ESTRANGE", syscall: "open" });
    assert.equal(failureText(strange), "ESTRANGE: so it is, open 'x'.");
  });

  it("says what we say in our words, and shows where a fault of ours is", () => {
    assert.equal(failureText(new VariscaleError("not_found", "there is none")), "there is none");
    assert.equal(failureText(new VariscaleError("not_found", "no \u001b[31mmodel\nthere")), "no  [31mmodel\nthere");
    assert.match(failureText(new TypeError("x is not a function")), /x is not a function\n\s+at /);
  });
});

describe("makeFolder()", () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  it("makes all that is missing, and takes what is there", () => {
    const path = join(folder.path, "a/b/c");
    makeFolder(path);
    makeFolder(path);
    writeFileSync(join(path, "file"), "");
    assert.throws(() => makeFolder(join(path, "file/deeper")), { code: "ENOTDIR" });
  });

  it("says that a file system can't be written, not that something is missing", function () {
    const place = join(folder.path, "place");
    mkdirSync(place);
    const inNamespace = (script: string) => spawnSync("unshare", ["-rm", "sh", "-c", script], { encoding: "utf8" });
    const mount = `mount -t tmpfs -o ro tmpfs '${place}'`;
    if (inNamespace(mount).status !== 0) return this.skip();
    const main = join(packageFolder, "dist/cli/main.js");
    const report = `'${process.execPath}' '${main}' report --format html --folder '${place}/a/b'`;
    const { status, stderr } = inNamespace(`${mount} && exec ${report}`);
    assert.equal(status, 1);
    assert.match(stderr, /^variscale: can't write .*report\.html \(EROFS: read-only file system.*--folder\.\n$/);
  });
});
