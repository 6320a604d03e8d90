import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";

describe("docs/keda-contract.md", () => {
  const text = readFileSync(join(packageFolder, "docs/keda-contract.md"), "utf8");
  const rows = [...text.matchAll(/^\| (T\d+) +\|.*\|([^|]*)\|$/gm)].map(([, trap = "", tests = ""]) => ({
    trap,
    files: [...tests.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file),
  }));

  it("lists every trap once", () => {
    assert.deepEqual(
      rows.map(({ trap }) => trap),
      Array.from({ length: 28 }, (_, i) => `T${i + 1}`),
    );
  });

  it("names only tests that there are, by the trap's number", () => {
    for (const { trap, files } of rows) {
      for (const file of files) {
        const source = readFileSync(join(packageFolder, "test", `${file}.test.ts`), "utf8");
        assert.match(source, new RegExp(`it\\(["\`]${trap}: `), `${file} has no test of ${trap}`);
      }
    }
  });
});
