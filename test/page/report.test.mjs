// The report as a PDF, by a real Chromium; and its page as axe-core sees it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, it } from "mocha";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

describe("the report in Chromium", function () {
  this.timeout(180_000);
  let folder;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-report-test-"));
    const env = { ...process.env, VARISCALE_CHROMIUM: process.env.VARISCALE_TEST_CHROMIUM };
    const { status, stderr } = spawnSync(process.execPath, ["dist/cli/main.js", "report", "--folder", folder], {
      encoding: "utf8",
      env,
    });
    assert.equal(status, 0, stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("is printed as a PDF of many pages", () => {
    const pdf = readFileSync(join(folder, "report.pdf"), "latin1");
    assert.match(pdf, /^%PDF-1\./);
    const pages = pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    assert.ok(pages > 20, `${pages} pages`);
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe-core finds wrong, ${colorScheme}`, async () => {
      const browser = await chromium.launch({
        executablePath: process.env.VARISCALE_TEST_CHROMIUM,
        args: ["--no-sandbox", "--disable-dev-shm-usage"],
      });
      try {
        const page = await (await browser.newContext({ colorScheme })).newPage();
        await page.goto(pathToFileURL(join(folder, "report.html")).href);
        await page.addScriptTag({ path: AXE });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
          [],
        );
      } finally {
        await browser.close();
      }
    });
  }
});
