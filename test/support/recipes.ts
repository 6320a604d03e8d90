import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { packageFolder } from "../../runtime/version.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of many kinds
export type AnyObject = any;

const FOLDER = join(packageFolder, "docs/recipes");

/** A folder of docs/recipes: its page, its files, and what the commands in its page say and write. */
export interface Recipe {
  readonly name: string;
  readonly folder: string;
  readonly page: string;
  /** Objects by file name. */
  readonly files: Readonly<Record<string, readonly AnyObject[]>>;
  /** Of `variscale manifests`, as the page has it; none where it has no such command. */
  readonly written: readonly AnyObject[];
  /** Arguments of the page's `helm upgrade --install variscale charts/variscale`, files by their paths; none where it has no such command. */
  readonly values: readonly string[];
}

export function readRecipes(): readonly Recipe[] {
  const folders = readdirSync(FOLDER, { withFileTypes: true }).filter(entry => entry.isDirectory());
  return folders.map(({ name }) => readRecipe(name, join(FOLDER, name)));
}

function readRecipe(name: string, folder: string): Recipe {
  const page = readFileSync(join(folder, "README.md"), "utf8");
  const files: Record<string, readonly AnyObject[]> = {};
  for (const file of readdirSync(folder).filter(entry => entry.endsWith(".yaml")))
    files[file] = objectsIn(readFileSync(join(folder, file), "utf8"));
  const commands = [...page.matchAll(/^ *variscale (manifests .*)$/gm)].map(match => match[1] ?? "");
  return {
    name,
    folder,
    page,
    files,
    written: commands.flatMap(line => manifests(line.split(" "), folder)),
    values: valuesIn(page).map(value => value.replace(/=(\w+\.yaml)$/, `=${folder}/$1`)),
  };
}

/** What follows the chart in a page's command that installs it: its arguments, over several lines. */
export function valuesIn(page: string): readonly string[] {
  const [, args = ""] = /helm (?:upgrade --)?install variscale charts\/variscale ((?:.*\\\n)*.*)/.exec(page) ?? [];
  return args.split(/[\s\\]+/).filter(arg => arg !== "");
}

function manifests(args: readonly string[], cwd: string): readonly AnyObject[] {
  const main = join(packageFolder, "dist/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { cwd, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return objectsIn(stdout);
}

/** Objects of a YAML text with one or more documents. */
export function objectsIn(text: string): readonly AnyObject[] {
  return parseAllDocuments(text).map(document => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS();
  });
}
