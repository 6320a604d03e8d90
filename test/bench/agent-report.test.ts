import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { agentReport } from "../../bench/agent-report.ts";
import { partialSection } from "../../bench/benchmark-section.ts";
import { withSection } from "../../bench/sections.ts";
import { packageFolder } from "../../runtime/version.ts";

const read = (path: string): string => readFileSync(join(packageFolder, path), "utf8");
/** Without how wide columns of tables are. */
const plain = (markdown: string): string => markdown.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

describe("agentReport()", () => {
  it("gives the agent's page as it is in the technical report: its figures are those of the benchmarks", () => {
    assert.equal(plain(read("docs/report/agent.md")), plain(agentReport(read("docs/benchmarks.md"))));
  });

  it("stays as it is where other figures of the section are measured anew", () => {
    const benchmarks = read("docs/benchmarks.md");
    const newer = { suite: "page", machine: "4 cores (new)", date: "2030-03-04T00:00:00.000Z", figures: [] };
    const page = withSection(benchmarks, partialSection(benchmarks, newer));
    assert.match(page, /4 cores \(new\), 2030-03-04\./);
    assert.equal(agentReport(page), agentReport(benchmarks));
  });

  it("says that there is nothing to report", () => {
    assert.throws(() => agentReport("# Benchmarks\n\n## scaler\n"), /no figures of the agent/);
  });
});
