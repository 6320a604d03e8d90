import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder, packageVersion } from "../runtime/version.ts";

/** Runs a shell line; fails with all that it printed. */
function sh(line: string, cwd: string): string {
  const result = spawnSync("bash", ["-c", line], { cwd, encoding: "utf8" });
  assert.equal(result.status, 0, `${line}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

describe("npm's settings of the project", () => {
  it("are all known to npm, which warns of others at every install, and let no package run a script", () => {
    const { stdout, stderr } = spawnSync("npm", ["config", "get", "ignore-scripts"], {
      cwd: packageFolder,
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    assert.equal(stdout.trim(), "true");
  });
});

describe("the package, installed elsewhere as the README says", function () {
  this.timeout(300_000);
  let folder: string;
  let tarball: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-package-"));
    // dist/ is what these tests run from: it is not built again.
    const packed = sh(`npm pack --ignore-scripts --silent --pack-destination "${folder}"`, packageFolder)
      .trim()
      .split("\n")
      .at(-1);
    tarball = join(folder, packed ?? "");
    writeFileSync(join(folder, "package.json"), '{ "name": "elsewhere", "private": true, "type": "module" }');
    const line = /^(ONNXRUNTIME_NODE_INSTALL=skip npm i )variscale$/m.exec(
      readFileSync(join(packageFolder, "README.md"), "utf8"),
    );
    assert.ok(line, "README.md has no line `ONNXRUNTIME_NODE_INSTALL=skip npm i variscale`");
    sh(`${line[1]}${tarball}`, folder);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("has a command that knows its version and its commands", () => {
    assert.equal(sh("npx variscale --version", folder).trim(), packageVersion);
    const help = sh("npx variscale --help", folder);
    for (const command of ["up", "demo", "models", "profile", "scaler", "gateway", "switcher"])
      assert.match(help, new RegExp(`^ +${command} `, "m"));
  });

  it("exports what pipelines are written with, and its own pipelines", () => {
    writeFileSync(
      join(folder, "imports.js"),
      'import { definePipeline } from "variscale/stage";\nimport card from "variscale/pipelines/id-card";\nimport video from "variscale/pipelines/video";\nimport audio from "variscale/pipelines/audio";\nimport questions from "variscale/pipelines/question-answering";\nconsole.log(typeof definePipeline, ...[card, video, audio, questions].map(({ stages }) => Object.keys(stages).join()));\n',
    );
    assert.equal(
      sh("node imports.js", folder).trim(),
      "function detection,recognition detection,classification voice-activity,keyword retrieval,reading",
    );
  });

  it("serves the page with what it loads of another package", () => {
    writeFileSync(
      join(folder, "page.js"),
      'import { pageFileRoutes } from "./node_modules/variscale/dist/scaler/page-files.js";\nconst { handle } = pageFileRoutes().find(({ path }) => path.startsWith("/page/"));\nconst params = { folder: "library", name: "uplot.js" };\nconst { status, body } = handle({ path: "/page/library/uplot.js", params, headers: {} });\nconsole.log(status, /uPlot=function/.test(body));\n',
    );
    assert.equal(sh("node page.js", folder).trim(), "200 true");
  });

  it("prepares the models of its pipelines", () => {
    for (const name of ["id-card", "video", "audio", "question-answering"]) {
      const models = `models-${name}`;
      const output = sh(
        `npx variscale models prepare node_modules/variscale/pipelines/${name} --model-folder ${models}`,
        folder,
      );
      assert.match(output, new RegExp(`models of ${name} are in `));
      assert.ok(readdirSync(join(folder, models), { recursive: true }).some(file => String(file).endsWith(".onnx")));
    }
  });

  it("carries no tests, no source maps and no training data", () => {
    const files = sh(`tar -tzf "${tarball}"`, folder).trim().split("\n");
    assert.deepEqual(
      files.filter(name => /\/dist\/(test|bench)\/|\.map$|training\/.*\.py$/.test(name)),
      [],
    );
    for (const name of ["LICENSE", "NOTICE", "dist/dashboard/index.html", "dist/dashboard/page.css"])
      assert.ok(files.includes(`package/${name}`), name);
  });
});
