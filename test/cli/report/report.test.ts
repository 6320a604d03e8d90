import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readChapters } from "../../../cli/report/chapters.ts";
import { figuresSummary } from "../../../cli/report/figures-summary.ts";
import { reportHtml } from "../../../cli/report/report-html.ts";
import { packageFolder } from "../../../runtime/version.ts";
import { TestFolder } from "../../support/switcher-harness.ts";

describe("variscale report", function () {
  this.timeout(120_000);
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  /** Where no Chromium is on the path. */
  function report(...args: string[]) {
    const main = join(packageFolder, "dist/cli/main.js");
    const env = { ...process.env, PATH: folder.path, VARISCALE_CHROMIUM: "" };
    return spawnSync(process.execPath, [main, "report", "--folder", join(folder.path, "out"), ...args], {
      encoding: "utf8",
      env,
    });
  }

  it("writes one page that needs nothing else, with links that hold and every heading", () => {
    const { status, stderr } = report("--format", "html");
    assert.equal(status, 0, stderr);
    const html = readFileSync(join(folder.path, "out/report.html"), "utf8");
    assert.doesNotMatch(html, /<(script|link|img|iframe)\b|@import|url\((?!#)/);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    assert.ok(links.length > 30);
    assert.deepEqual(
      links.filter(link => !ids.includes(link)),
      [],
    );
    assert.equal(new Set(ids).size, ids.length, "an id is there twice");
    for (const { file, markdown } of readChapters(packageFolder)) {
      const [, title = ""] = /^# (.+)$/m.exec(markdown) ?? [];
      assert.ok(html.includes(`>${title}</h1>`), `${file}: ${title}`);
    }
    assert.match(html, /<figure><svg[^>]* aria-label="The control loop/);
  });

  it("says that there is no Chromium: beside the page, or as an error where the PDF alone was asked for", () => {
    const both = report();
    assert.equal(both.status, 0, both.stderr);
    assert.match(both.stderr, /no PDF, there is no Chromium: install one/);
    assert.ok(existsSync(join(folder.path, "out/report.html")));
    assert.ok(!existsSync(join(folder.path, "out/report.pdf")));
    const pdf = report("--format", "pdf");
    assert.equal(pdf.status, 1, pdf.stderr);
    assert.match(pdf.stderr, /^variscale: no PDF, there is no Chromium.*VARISCALE_CHROMIUM$/m);
  });

  it("names the files that it has written, and a folder that can't be", () => {
    const written = join(folder.path, "out/report.html");
    const { stdout } = report("--format", "html", "--output", "json");
    assert.deepEqual(JSON.parse(stdout), { written: [written], noPdf: null });
    assert.equal(report("--format", "html").stdout, `written: ${written}\n`);
    const { noPdf, ...both } = JSON.parse(report("--output", "json").stdout) as { noPdf: string };
    assert.deepEqual(both, { written: [written] });
    assert.match(noPdf, /there is no Chromium/);
    rmSync(join(folder.path, "out"), { recursive: true });
    writeFileSync(join(folder.path, "out"), "a file where the folder should be");
    const refused = report("--format", "html");
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^variscale: can't write .*report\.html \(.*name another folder with --folder\.\n$/);
  });

  it("ends where folders can't be made at all, as in /proc", () => {
    const args = [
      join(packageFolder, "dist/cli/main.js"),
      "report",
      "--format",
      "html",
      "--folder",
      "/proc/variscale/x",
    ];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 1);
    assert.match(stderr, /^variscale: can't write \/proc\/variscale\/x\/report\.html \(ENOENT/);
  });

  it("shows what documents say as text, and leaves out the marks of scripts", () => {
    const markdown =
      "# One <two>\n\n<!-- table: x -->\n\n```sh\na < b\n```\n\n[here](two.md#three-four) [there](gone.md)\n";
    const chapters = [
      { file: "docs/one.md", markdown },
      { file: "docs/two.md", markdown: "# Two\n\n## Three, four\n" },
    ];
    const html = reportHtml({ chapters, version: "1", picture: () => null });
    assert.match(html, /<code>a &lt; b<\/code>/);
    assert.doesNotMatch(html, /<!-- table/);
    assert.match(html, /<a href="#two-three-four">here<\/a> there <span class="file">\(docs\/gone\.md\)<\/span>/);
    assert.match(html, /<h2 id="two-three-four">/);
  });

  it("tells headings apart that come to the same anchor, as GitHub does", () => {
    const chapter = { file: "docs/one.md", markdown: "# One\n\n## 2.5 times\n\n## 25 times\n\n[later](#25-times-1)\n" };
    const html = reportHtml({ chapters: [chapter], version: "1", picture: () => null });
    assert.deepEqual(
      [...html.matchAll(/<h2 id="([^"]+)"/g)].map(([, id]) => id),
      ["one-25-times", "one-25-times-1"],
    );
    assert.match(html, /<a href="#one-25-times-1">/);
  });

  it("has open what documents fold up: paper can't unfold it", () => {
    const markdown = "# One\n\n<details><summary>Every cell</summary>\n\ntext\n\n</details>\n";
    const html = reportHtml({ chapters: [{ file: "docs/one.md", markdown }], version: "1", picture: () => null });
    assert.match(html, /<details open><summary>Every cell<\/summary>/);
  });

  it("counts figures that meet their bars", () => {
    const table = "| figure | value | bar | holds | beside |\n| --- | --- | --- | --- | --- |\n";
    const rows = "| `a.b` | 1 ms | ≤ 2 | yes | x |\n| `a.c` | 3 ms | ≤ 2 | **no** | yes |\n";
    assert.deepEqual(figuresSummary(`# B\n\n## one\n\n${table}${rows}\n## two\n\nnothing\n`), [
      { suite: "one", held: 1, all: 2 },
    ]);
  });
});
