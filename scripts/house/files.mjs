// The project's own files, as the rules of the house see them: without what is generated, built or installed.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";

const NOT_OURS = new Set(["node_modules", "dist", "coverage", "generated", "data"]);
const SOURCE = new Set([".ts", ".mjs", ".js", ".py", ".sh", ".css", ".html", ".proto"]);
const SCRIPT = new Set([".ts", ".mjs", ".js"]);
const DOCUMENT = new Set([".md"]);

/**
 * Reads the project's files below a folder.
 * @returns objects with `path` (slashes, relative), `lines` and, of scripts, `program`, `comments` and `imports` (paths relative to the root).
 */
export function readFiles(root) {
  const files = [];
  for (const path of listFiles(root, root)) {
    const extension = extname(path);
    const isSource = SOURCE.has(extension);
    if (!isSource && !DOCUMENT.has(extension)) continue;
    const text = readFileSync(join(root, path), "utf8");
    const file = { path, text, isSource, lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0) };
    files.push(SCRIPT.has(extension) ? { ...file, ...parse(root, path, text) } : file);
  }
  return files;
}

/** A test is a file below `test/`: it may be longer, and may break what it tests. */
export function isTest({ path }) {
  return path.startsWith("test/");
}

/** The folder that a file lies in; "." for the root. */
export function getFolder({ path }) {
  return dirname(path);
}

/** Calls `visit(node, parent)` for each node of a syntax tree. */
export function walk(node, visit, parent = null) {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child !== null && typeof child === "object" && typeof child.type === "string") walk(child, visit, node);
    }
  }
}

function* listFiles(root, folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!entry.name.startsWith(".") && !NOT_OURS.has(entry.name)) yield* listFiles(root, path);
    } else if (entry.isFile()) yield relative(root, path).split(sep).join("/");
  }
}

function parse(root, path, text) {
  const { program, comments, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${join(root, path)} can't be parsed: ${errors[0].message}`);
  const imports = new Set();
  const addImport = specifier => {
    if (specifier.startsWith(".")) imports.add(join(dirname(path), specifier).split(sep).join("/"));
  };
  for (const { moduleRequest } of module.staticImports) addImport(moduleRequest.value);
  for (const { entries } of module.staticExports)
    for (const { moduleRequest } of entries) if (moduleRequest) addImport(moduleRequest.value);
  for (const { moduleRequest } of module.dynamicImports) {
    const specifier = text.slice(moduleRequest.start, moduleRequest.end);
    if (/^["'`].*["'`]$/.test(specifier)) addImport(specifier.slice(1, -1));
  }
  return { program, comments, imports };
}
