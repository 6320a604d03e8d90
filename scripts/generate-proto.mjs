// Regenerates proto/generated from proto/*.proto. `--check` fails when what is checked in differs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// The generated header records the path of the .proto as given, so always run from the root with relative paths.
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes("--check");
const out = check ? mkdtempSync(join(tmpdir(), "variscale-proto-")) : "proto/generated";
// Tensors have 64-bit integers, of which a Number would lose digits.
const withText = ["open_inference.proto"];
const protos = readdirSync(join(root, "proto")).filter(name => name.endsWith(".proto"));

// These flags must match the options of loadSync in runtime/grpc.ts.
const generate = (longs, names) =>
  spawnSync(
    join(root, "node_modules/.bin/proto-loader-gen-types"),
    [
      ...[`--longs=${longs}`, "--enums=String", "--defaults", "--oneofs", "--includeComments"],
      ...["--grpcLib=@grpc/grpc-js", "--importFileExtension=.ts", `--outDir=${out}`],
      ...names.map(name => `proto/${name}`),
    ],
    { cwd: root, stdio: ["ignore", "ignore", "inherit"] },
  );
const others = protos.filter(name => !withText.includes(name));
for (const { status } of [generate("Number", others), generate("String", withText)])
  if (status !== 0) process.exit(status ?? 1);
if (check) {
  const diff = spawnSync("diff", ["-r", "proto/generated", out], { cwd: root, stdio: "inherit" });
  rmSync(out, { recursive: true, force: true });
  if (diff.status !== 0) {
    console.error("proto/generated differs from proto/*.proto: run `npm run proto` and commit the result.");
    process.exit(1);
  }
}
