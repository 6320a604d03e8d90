import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";

describe("check-release", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-release-"));
    for (const name of ["variscale", "keda-scaler"]) mkdirSync(join(folder, "charts", name), { recursive: true });
    write("package.json", JSON.stringify({ version: "1.2.0" }));
    write("package-lock.json", JSON.stringify({ version: "1.2.0", packages: { "": { version: "1.2.0" } } }));
    write("charts/variscale/Chart.yaml", 'version: 1.2.0\nappVersion: "1.2.0"\n');
    write("charts/keda-scaler/artifacthub-pkg.yml", "version: 1.2.0\nappVersion: 1.2.0\n");
    write(
      "CHANGELOG.md",
      "# C\n\n## [Unreleased]\n\n## [1.2.0] - 2027-01-01\n\n### Added\n\n- This.\n\n## [1.1.0] - 2026-01-01\n\n- That.\n",
    );
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (path: string, text: string) => writeFileSync(join(folder, path), text);

  function check(tag: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    const script = join(packageFolder, "scripts/check-release.mjs");
    return spawnSync(process.execPath, [script, tag, "--folder", folder], { encoding: "utf8" });
  }

  it("prints what the changelog says of the version, and nothing of others", () => {
    const { status, stdout, stderr } = check("v1.2.0");
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "### Added\n\n- This.\n");
  });

  it("names every place that has another version", () => {
    write("charts/variscale/Chart.yaml", 'version: 1.1.0\nappVersion: "1.2.0"\n');
    write("charts/keda-scaler/artifacthub-pkg.yml", "version: 1.0.0\nappVersion: 1.2.0\n");
    write("CHANGELOG.md", "# C\n\n## [Unreleased]\n\n- This.\n");
    const { status, stderr } = check("v1.2.0");
    assert.equal(status, 1);
    assert.match(stderr, /Chart\.yaml: version is 1\.1\.0, and the tag says 1\.2\.0/);
    assert.match(stderr, /artifacthub-pkg\.yml: version is 1\.0\.0, and the tag says 1\.2\.0/);
    assert.match(stderr, /CHANGELOG\.md has no section .*\[1\.2\.0\]/);
    assert.doesNotMatch(stderr, /appVersion|package/);
  });

  it("has examples that name the image of this version, as earlier ones are refused by its scaler", () => {
    const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string };
    const examples = ["README.md", "docs", "charts/variscale", "cli/commands"].flatMap(path => readImages(path));
    assert.ok(examples.length > 5);
    for (const [path, tag] of examples) assert.equal(tag, version, path);
  });

  it("takes no other tags", () => {
    const { status, stderr } = check("1.2");
    assert.equal(status, 1);
    assert.match(stderr, /vX\.Y\.Z.*\(is: 1\.2\)/);
  });
});

/** The tags of our image in the examples of a file, or of all files of a folder, each with its file. */
function readImages(path: string): readonly (readonly [path: string, tag: string])[] {
  const whole = join(packageFolder, path);
  if (statSync(whole).isDirectory()) return readdirSync(whole).flatMap(name => readImages(join(path, name)));
  const tags = readFileSync(whole, "utf8").matchAll(/registry\.example\/variscale(?::|, tag: )(\d[^\s"`,}]*)/g);
  return [...tags].map(([, tag = ""]) => [path, tag] as const);
}
