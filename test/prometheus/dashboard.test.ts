import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { promtool } from "./support/promtool.ts";

describe("the dashboard of the chart", () => {
  it("has expressions that Prometheus takes", () => {
    const { panels } = JSON.parse(readFileSync(join(packageFolder, "charts/variscale/files/dashboard.json"), "utf8"));
    const expressions: readonly string[] = panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
      targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m")),
    );
    assert.ok(expressions.length > 20);
    const folder = mkdtempSync(join(tmpdir(), "variscale-dashboard-"));
    try {
      const rules = expressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
      const file = join(folder, "rules.yaml");
      writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
      const { passed, output } = promtool("check", "rules", file);
      assert.ok(passed, output);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
