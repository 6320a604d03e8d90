import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parseAllDocuments } from "yaml";
import { anchorsOf, type Block, blocksIn, blocksOf, documents, linksOf } from "../../bench/documents.ts";
import { packageFolder } from "../../runtime/version.ts";
import { checkYaml } from "./check-yaml.ts";

/** What nothing can do that is not named in it. */
const TOLD = ["build-arg MODELS", "create secret", "docker push", "helm test", "port-forward"];

/** Commands are `sh`, and nothing else: so none is left out because of how its block is marked. */
const LANGUAGES = new Set(["sh", "yaml", "json", "js", "ts", "text", "promql"]);

/** Documents with commands that nothing runs: trainings and measurements of many minutes, and what needs a registry or a whole cluster. */
const NOT_RUN = [
  "CONTRIBUTING.md",
  "README.md",
  "charts/variscale/README.md",
  "docs/demo.md",
  "docs/demo.md",
  "docs/images.md",
  "docs/live-page.md",
  "docs/models.md",
  "docs/quick-start-kubernetes.md",
  "docs/quick-start-kubernetes.md",
  "docs/quick-start-kubernetes.md",
  "docs/releasing.md",
  "pipelines/audio/README.md",
  "pipelines/id-card/README.md",
  "pipelines/question-answering/README.md",
  "pipelines/video/README.md",
];

describe("documents", () => {
  const blocks = documents().flatMap(blocksOf);

  it("say of every block what it is", () => {
    const wrong = blocks.filter(({ language }) => !LANGUAGES.has(language)).map(placeOf);
    assert.deepEqual(wrong, [], `begin these blocks with one of ${[...LANGUAGES].join(", ")}`);
  });

  it("have commands in `sh` blocks alone", () => {
    const looksLikeOne = /^(\$ |npm |npx |node |curl |helm |kubectl |docker |variscale |python3 )/m;
    const wrong = blocks.filter(block => block.language === "text" && looksLikeOne.test(block.text)).map(placeOf);
    assert.deepEqual(wrong, []);
  });

  it("name only tests that there are, and CI runs the npm scripts that it is named for", () => {
    const ci = readFileSync(join(packageFolder, ".ci/run"), "utf8");
    for (const block of blocks) {
      if (block.runBy === null) continue;
      assert.ok(existsSync(join(packageFolder, block.runBy)), `${placeOf(block)}: there is no ${block.runBy}`);
      const runner = readFileSync(join(packageFolder, block.runBy), "utf8");
      for (const words of TOLD)
        assert.ok(
          !block.text.includes(words) || runner.includes(words),
          `${placeOf(block)}: no ${words} in ${block.runBy}`,
        );
      if (block.runBy !== ".ci/run") continue;
      const scripts = [...block.text.matchAll(/\bnpm (ci|test|run [\w:-]+)/g)].map(([command]) => command);
      assert.ok(scripts.length > 0, `${placeOf(block)}: .ci/run runs npm scripts`);
      for (const command of scripts)
        assert.ok(ci.includes(command) || command === "npm run build", `${placeOf(block)}: .ci/run has no ${command}`);
    }
  });

  it("leave few commands to nobody, each with its reason", () => {
    const left = blocks.filter(({ notRun }) => notRun !== null).map(({ file }) => file);
    assert.deepEqual(left.toSorted(), NOT_RUN);
  });

  it("have YAML that is valid", () => {
    for (const block of blocks) {
      if (block.language !== "yaml" || block.runBy !== null) continue;
      for (const document of parseAllDocuments(block.text.replaceAll("…", "a".repeat(64)))) {
        assert.deepEqual(document.errors, [], placeOf(block));
        assert.deepEqual(checkYaml(document.toJS()), [], placeOf(block));
      }
    }
  });

  it("have JSON that is valid", () => {
    for (const block of blocks)
      if (block.language === "json") assert.doesNotThrow(() => JSON.parse(block.text), placeOf(block));
  });

  it("link to what there is", () => {
    const missing = documents().flatMap(file =>
      linksOf(file).flatMap(({ to, anchor, line }) => {
        if (!existsSync(join(packageFolder, to))) return [`${file}:${line}: there is no ${to}`];
        const isThere = anchor === "" || !to.endsWith(".md") || anchorsOf(to).includes(anchor);
        return isThere ? [] : [`${file}:${line}: ${to} has no heading #${anchor}`];
      }),
    );
    assert.deepEqual(missing, []);
  });

  it("are all reached from the index", () => {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file) || !file.endsWith(".md") || !existsSync(join(packageFolder, file))) return;
      reached.add(file);
      for (const { to } of linksOf(file)) visit(to);
    };
    visit("README.md");
    assert.deepEqual(
      documents().filter(file => !reached.has(file)),
      [],
    );
  });

  it("have blocks read as they are meant", () => {
    const text = "a\n\n<!-- run by x/y.ts -->\n\n```sh\none\n```\n\n````text\n```sh\ntwo\n```\n````\n";
    const read = blocksIn("z.md", text).map(({ line, language, text: body, runBy }) => [line, language, body, runBy]);
    assert.deepEqual(read, [
      [6, "sh", "one", "x/y.ts"],
      [10, "text", "```sh\ntwo\n```", null],
    ]);
  });
});

function placeOf({ file, line }: Block): string {
  return `${file}:${line}`;
}
