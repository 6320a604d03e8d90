// Writes docs/reference/*.md from the code: npm run build && node scripts/write-references.mjs [--check]
// With --check nothing is written, and it fails where a file is not what it would write.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { alertsReference } from "./references/alerts.mjs";
import { cliReference } from "./references/cli.mjs";
import { httpApiReference } from "./references/http-api.mjs";
import { metricsReference } from "./references/metrics.mjs";
import { pipelineFileReference } from "./references/pipeline-file.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCheck = process.argv.includes("--check");
// Before a reference says what it takes for the user's home: the formatter has its cache there.
const env = { ...process.env };
const references = {
  "pipeline-file.md": pipelineFileReference(root),
  "metrics.md": await metricsReference(root),
  "http-api.md": await httpApiReference(root),
  "cli.md": await cliReference(root),
  "alerts.md": alertsReference(root),
};

const stale = [];
for (const [name, text] of Object.entries(references)) {
  const path = join(root, "docs/reference", name);
  const formatted = format(name, `${text}\n`);
  if (existsSync(path) && readFileSync(path, "utf8") === formatted) continue;
  stale.push(`docs/reference/${name}`);
  if (isCheck) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, formatted);
}
if (isCheck && stale.length > 0) {
  console.error(`${stale.join(", ")}: not what the code gives. Run npm run build && node scripts/write-references.mjs`);
  process.exit(1);
}
process.exit(0);

function format(name, text) {
  const args = ["format", `--stdin-file-path=docs/reference/${name}`];
  return execFileSync(join(root, "node_modules/.bin/biome"), args, { cwd: root, env, input: text, encoding: "utf8" });
}
