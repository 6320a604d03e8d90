// Static checks, in the order of how fast they fail: format and lint, the rules of the house, dead code, pictures, figures, generated code.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = name => join(root, "node_modules/.bin", name);
const steps = [
  ["format and lint", "npm", ["run", "--silent", "lint"]],
  ["the rules of the house", process.execPath, ["scripts/house/main.mjs", "--output", "none"]],
  ["dead files, exports and dependencies", bin("knip"), []],
  ["pictures of documents", process.execPath, ["scripts/write-pictures.mjs", "--check"]],
  ["the ladder of README.md", process.execPath, ["scripts/write-ladder.mjs", "--check"]],
  ["generated proto types", process.execPath, ["scripts/generate-proto.mjs", "--check"]],
];
for (const [name, command, args] of steps) {
  console.log(`check: ${name}`);
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (result.status !== 0) {
    console.error(`check failed: ${name}`);
    process.exit(1);
  }
}
