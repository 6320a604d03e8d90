// Compiles TypeScript into dist/ and copies the files that running code reads beside it. VARISCALE_BUILT=1: dist/ is built and nothing has
// changed since, as between the stages of .ci/run.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");

if (process.env.VARISCALE_BUILT === "1" && existsSync(join(dist, "cli/main.js"))) process.exit(0);

rmSync(dist, { recursive: true, force: true });
// The page has types of its own: those of a browser.
for (const project of [root, join(root, "dashboard")]) {
  const tsc = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project], {
    stdio: "inherit",
  });
  if (tsc.status !== 0) process.exit(tsc.status ?? 1);
}
for (const name of readdirSync(join(root, "dashboard"))) {
  if (/\.(html|css|svg)$/.test(name)) cpSync(join(root, "dashboard", name), join(dist, "dashboard", name));
}

mkdirSync(join(dist, "proto"), { recursive: true });
for (const name of readdirSync(join(root, "proto"))) {
  if (name.endsWith(".proto")) cpSync(join(root, "proto", name), join(dist, "proto", name));
}
cpSync(join(root, "predictor/bundled-model.json"), join(dist, "predictor/bundled-model.json"));
mkdirSync(join(dist, "models"), { recursive: true });
for (const name of ["onnx.proto", "unpack_wheel.py"]) cpSync(join(root, "models", name), join(dist, "models", name));
const fixtures = join(root, "test/fixtures");
if (existsSync(fixtures) && statSync(fixtures).isDirectory())
  cpSync(fixtures, join(dist, "test/fixtures"), { recursive: true });
