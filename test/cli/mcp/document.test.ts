import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { openTools } from "../../../cli/mcp/open-tools.ts";
import { packageFolder } from "../../../runtime/version.ts";

describe("docs/mcp.md", () => {
  it("names every tool, what it changes and no other", () => {
    const text = readFileSync(join(packageFolder, "docs/mcp.md"), "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` .*\| (\w+) +\|$/gm)].map(([, name, changes]) => [
      name,
      changes !== "nothing",
    ]);
    const access = { url: "http://127.0.0.1:1", token: null };
    const tools = openTools({ paths: [], access, allowChanges: true, owner: "", context: "x", env: {} });
    assert.deepEqual(
      rows,
      tools.map(({ name, changes }) => [name, changes]),
    );
  });
});
