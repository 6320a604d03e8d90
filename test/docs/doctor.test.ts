import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";

describe("docs/doctor.md", () => {
  it("lists every check once, and no other", () => {
    const folder = join(packageFolder, "cli/doctor");
    const sources = readdirSync(folder).map(name => readFileSync(join(folder, name), "utf8"));
    const made = sources.flatMap(text => [...text.matchAll(/(?:ok|warn|fail|notChecked)\)?\(\s*"([a-z-]+)"/g)]);
    const checks = [...new Set(made.map(match => match[1]))];
    const text = readFileSync(join(packageFolder, "docs/doctor.md"), "utf8");
    const rows = [...text.matchAll(/^\| `([a-z-]+)` /gm)].map(match => match[1]);
    assert.ok(checks.length > 30);
    assert.deepEqual(rows.sort(), checks.sort());
  });
});
