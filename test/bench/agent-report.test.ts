import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { agentReport } from "../../bench/agent-report.ts";
import { packageFolder } from "../../runtime/version.ts";

const read = (path: string): string => readFileSync(join(packageFolder, path), "utf8");
/** Without how wide columns of tables are. */
const plain = (markdown: string): string => markdown.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

describe("agentReport()", () => {
  it("gives the agent's page as it is in the technical report: its figures are those of the benchmarks", () => {
    assert.equal(plain(read("docs/report/agent.md")), plain(agentReport(read("docs/benchmarks.md"))));
  });

  it("says that there is nothing to report", () => {
    assert.throws(() => agentReport("# Benchmarks\n\n## scaler\n"), /no figures of the agent/);
  });
});
