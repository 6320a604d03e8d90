// `npm run house`: the figures of the house, and what breaks its rules beyond the committed exceptions.
//   npm run house [-- --output json|none]    prints them; fails where a rule is broken beyond the exceptions
//   npm run house -- --exact            fails as well where an exception is no longer needed, or allows more than there is
//   npm run house -- --shrink           lowers the exceptions to what is there; it never raises one
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isTest, readFiles } from "./files.mjs";
import { checkLanguage } from "./language.mjs";
import { checkPrivateNames } from "./private-names.mjs";
import { checkSizes, countByFolder } from "./size.mjs";

const { values } = parseArgs({
  options: {
    output: { type: "string", default: "table" },
    exact: { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    // The first list of a tree that has none: everything that is there now.
    start: { type: "boolean", default: false },
    root: { type: "string", default: dirname(dirname(dirname(fileURLToPath(import.meta.url)))) },
  },
});
const root = values.root;
const EXCEPTIONS = join(root, "scripts/house/exceptions.json");
const ALLOWED = join(root, "scripts/house/allowed-private-names.json");

const files = readFiles(root);
const privateNames = withoutAllowed(checkPrivateNames(files), readJson(ALLOWED, []));
const violations = [...checkSizes(files), ...checkLanguage(files), ...privateNames];
const groups = groupViolations(violations);
const kept = values.start ? [...groups.values()].map(toException) : readJson(EXCEPTIONS, []);
const { broken, stale, shrunk } = compare(groups, kept);

if (values.start || values.shrink) writeFileSync(EXCEPTIONS, formatExceptions(shrunk));
const figures = countFigures();
if (values.output === "json") console.log(JSON.stringify(figures, null, 2));
else if (values.output === "table") printTable();
for (const { path, line, rule, message } of broken)
  console.error(`${path}${line ? `:${line}` : ""}: ${rule}: ${message}`);
if (broken.length > 0)
  console.error(
    `house failed: ${broken.length} new places break its rules (CONTRIBUTING.md); mend them, they can't be excepted`,
  );
const isStale = values.exact && stale.length > 0;
if (isStale) {
  for (const { path, rule, count } of stale)
    console.error(`${path}: ${rule}: the exception allows ${count}, which is more than there is`);
  console.error("house failed: exceptions are larger than what is there; run: npm run house -- --shrink");
}
process.exitCode = broken.length > 0 || isStale ? 1 : 0;

/** Lines outside tests by top-level folder, files directly in each folder, packages, and what is left to mend. */
function countFigures() {
  const lines = {};
  for (const file of files) {
    if (!file.isSource || isTest(file)) continue;
    const folder = file.path.includes("/") ? file.path.split("/")[0] : ".";
    lines[folder] = (lines[folder] ?? 0) + file.lines;
  }
  const excepted = {};
  for (const { rule, count } of groups.values()) excepted[rule] = (excepted[rule] ?? 0) + (isMeasure(rule) ? 1 : count);
  return {
    linesOutsideTests: Object.values(lines).reduce((sum, count) => sum + count, 0),
    linesByFolder: lines,
    ownFilesByFolder: countByFolder(files),
    productionPackages: countProductionPackages(),
    privateNames: privateNames.length,
    rulesBroken: excepted,
  };
}

/** The distinct packages that an install without development dependencies may bring, on whatever platform. */
function countProductionPackages() {
  const { packages = {} } = readJson(join(root, "package-lock.json"), {});
  const names = Object.entries(packages)
    .filter(([path, { dev, devOptional, peer }]) => path !== "" && !dev && !devOptional && !peer)
    .map(([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`);
  return new Set(names).size;
}

function printTable() {
  const { linesByFolder, ownFilesByFolder, rulesBroken, ...totals } = figures;
  for (const [name, value] of Object.entries(totals)) console.log(`${name.padEnd(30)} ${value}`);
  for (const [rule, count] of Object.entries(rulesBroken)) console.log(`${`rulesBroken.${rule}`.padEnd(30)} ${count}`);
  console.log(`\n${"folder".padEnd(30)} lines outside tests, files of its own`);
  for (const [folder, count] of Object.entries(ownFilesByFolder))
    if (!folder.includes("/")) console.log(`${folder.padEnd(30)} ${linesByFolder[folder] ?? 0}, ${count}`);
}

/** Leaves out what the allow list gives a reason for, up to the count that it names. */
function withoutAllowed(found, allowed) {
  const left = new Map(
    allowed.map(({ path, kind, count, reason }) => {
      if (!reason) throw new Error(`${ALLOWED}: ${path} (${kind}) needs a reason`);
      return [`${path} ${kind}`, count];
    }),
  );
  const rest = found.filter(({ path, kind }) => {
    const count = left.get(`${path} ${kind}`) ?? 0;
    left.set(`${path} ${kind}`, count - 1);
    return count <= 0;
  });
  return rest;
}

function groupViolations(all) {
  const grouped = new Map();
  for (const violation of all) {
    const key = `${violation.rule} ${violation.path}`;
    const group = grouped.get(key) ?? { rule: violation.rule, path: violation.path, count: 0, places: [] };
    group.count += violation.count;
    group.places.push(violation);
    grouped.set(key, group);
  }
  return grouped;
}

/** Holds what is there against the exceptions. A file that was moved keeps its exceptions, found by its name. */
function compare(grouped, exceptions) {
  const byKey = new Map(exceptions.map(exception => [`${exception.rule} ${exception.path}`, exception]));
  const found = { broken: [], stale: [], shrunk: [] };
  const used = new Set();
  for (const [key, group] of grouped) {
    const exception = byKey.get(key) ?? findMoved(group, exceptions, grouped, used);
    if (exception) used.add(exception);
    const allowed = exception?.count ?? 0;
    if (group.count > allowed) found.broken.push(...group.places);
    if (allowed > 0) found.shrunk.push({ ...toException(group), count: Math.min(group.count, allowed) });
    if (group.count < allowed) found.stale.push(exception);
  }
  for (const exception of exceptions) if (!used.has(exception)) found.stale.push(exception);
  return found;
}

function findMoved(group, exceptions, grouped, used) {
  if (["folderFiles", "topLevelFolders"].includes(group.rule)) return undefined;
  return exceptions.find(
    exception =>
      exception.rule === group.rule &&
      basename(exception.path) === basename(group.path) &&
      !used.has(exception) &&
      !grouped.has(`${exception.rule} ${exception.path}`) &&
      !existsSync(join(root, exception.path)),
  );
}

/** Whether a rule's count is a size, not a number of places. */
function isMeasure(rule) {
  return ["fileLines", "folderFiles", "topLevelFolders"].includes(rule);
}

function toException({ path, rule, count }) {
  return { path, rule, count };
}

function formatExceptions(exceptions) {
  const sorted = exceptions.toSorted((a, b) => (`${a.path} ${a.rule}` < `${b.path} ${b.rule}` ? -1 : 1));
  // The formatter's way of writing an object in one line, so that the file passes the check of format as it is written.
  const lines = sorted.map(
    ({ path, rule, count }) =>
      `  { "path": ${JSON.stringify(path)}, "rule": ${JSON.stringify(rule)}, "count": ${count} }`,
  );
  return `[\n${lines.join(",\n")}\n]\n`;
}

function readJson(file, none) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : none;
}
