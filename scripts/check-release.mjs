// `node scripts/check-release.mjs vX.Y.Z [--folder DIR]`: whether the tag, package.json, the lock file, the chart, what Artifact Hub reads, and CHANGELOG.md are of one
// version. Prints what the changelog says of it, for the release's page.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse } from "yaml";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { folder: { type: "string" } } });
const folder = values.folder ?? dirname(dirname(fileURLToPath(import.meta.url)));
const read = path => readFileSync(join(folder, path), "utf8");
const [tag = ""] = positionals;
const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
if (version === undefined) fail([`the tag must be vX.Y.Z, or vX.Y.Z-PRERELEASE (is: ${tag})`]);

const chart = parse(read("charts/variscale/Chart.yaml"));
const listed = parse(read("charts/keda-scaler/artifacthub-pkg.yml"));
const lock = JSON.parse(read("package-lock.json"));
const found = {
  "package.json: version": JSON.parse(read("package.json")).version,
  "package-lock.json: version": lock.version,
  'package-lock.json: packages[""].version': lock.packages[""].version,
  "charts/variscale/Chart.yaml: version": chart.version,
  "charts/variscale/Chart.yaml: appVersion": chart.appVersion,
  "charts/keda-scaler/artifacthub-pkg.yml: version": listed.version,
  "charts/keda-scaler/artifacthub-pkg.yml: appVersion": listed.appVersion,
};
const problems = Object.entries(found)
  .filter(([, its]) => its !== version)
  .map(([where, its]) => `${where} is ${its}, and the tag says ${version}: write it there, or tag another commit`);
const notes = notesOf(read("CHANGELOG.md"), version);
if (notes === null)
  problems.push(
    `CHANGELOG.md has no section with entries \`## [${version}] - YYYY-MM-DD\`: move what is under Unreleased there`,
  );
if (problems.length > 0) fail(problems);
process.stdout.write(`${notes}\n`);

/** Null: there is no such section, or it says nothing. */
function notesOf(changelog, wanted) {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find(text =>
    new RegExp(`^\\[${wanted.replaceAll(".", "\\.")}\\] - \\d{4}-\\d\\d-\\d\\d\\n`).test(text),
  );
  const text = section?.slice(section.indexOf("\n")).trim() ?? "";
  return text.includes("- ") ? text : null;
}

function fail(lines) {
  for (const line of lines) console.error(`check-release: ${line}`);
  process.exit(1);
}
