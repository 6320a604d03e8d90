// `npm run sbom [-- --output FILE --installed FOLDER]`: lists the production dependencies as CycloneDX, from package-lock.json.
// The same lock file gives the same bytes: npm's random serial number and its time are replaced.
//   --installed FOLDER  lists only what is in this node_modules, as in an image that leaves some out
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The time that npm gives to the files of a package, in seconds. */
const NPM_EPOCH = 499_162_500;

const { values } = parseArgs({ options: { output: { type: "string" }, installed: { type: "string" } } });
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const sbom = readSbom();
const isInstalled = values.installed === undefined ? () => true : installedIn(values.installed);
const kept = sbom.components.filter(one => !isDevelopment(one) && isInstalled(one["bom-ref"]));
// What is in several folders is one component.
sbom.components = [...new Map(kept.map(one => [one["bom-ref"], one])).values()];
const refs = new Set([sbom.metadata.component["bom-ref"], ...sbom.components.map(one => one["bom-ref"])]);
const dependsOn = new Map([...refs].map(ref => [ref, new Set()]));
for (const { ref, dependsOn: of } of sbom.dependencies)
  for (const one of of) if (refs.has(one)) dependsOn.get(ref)?.add(one);
sbom.dependencies = [...dependsOn].map(([ref, of]) => ({ ref, dependsOn: [...of] }));
// npm gives the folder's name.
sbom.metadata.component.name = packages[""].name;
const epoch = Number(process.env.SOURCE_DATE_EPOCH || NPM_EPOCH);
sbom.metadata.timestamp = new Date(epoch * 1000).toISOString();
delete sbom.serialNumber;
const serial = uuidOf(JSON.stringify(sbom));
const text = `${JSON.stringify({ ...sbom, serialNumber: `urn:uuid:${serial}` }, null, 2)}\n`;
if (values.output === undefined) process.stdout.write(text);
else writeFileSync(values.output, text);

function readSbom() {
  // With --omit=dev npm leaves out also what development dependencies share with production ones.
  const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx"];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 ** 2 });
  if (status !== 0) throw new Error(`npm ${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout);
}

function isDevelopment({ properties = [] }) {
  return properties.some(({ name, value }) => name === "cdx:npm:package:development" && value === "true");
}

/** Which `name@version` are there, by the paths of the lock file. */
function installedIn(folder) {
  const installed = new Set();
  for (const [path, { version }] of Object.entries(packages)) {
    const below = path.split("node_modules/");
    if (path === "" || !existsSync(join(folder, path.slice("node_modules/".length), "package.json"))) continue;
    installed.add(`${below.at(-1)}@${version}`);
  }
  return ref => installed.has(ref);
}

/** A UUID of version 8, whose bits are a hash. */
function uuidOf(content) {
  const hex = createHash("sha256").update(content).digest("hex");
  const variant = ((Number.parseInt(hex[16], 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
