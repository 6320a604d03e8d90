import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of a wheel, by its name in it: its bytes, or how many zeros. */
export type WheelFile = Buffer | { readonly zeros: number };

const WRITE = `
import base64, json, sys, zipfile
asked = json.load(sys.stdin)
with zipfile.ZipFile(asked["path"], "w", zipfile.ZIP_DEFLATED) as wheel:
    for name, content in asked["files"]:
        wheel.writestr(name, bytes(content) if isinstance(content, int) else base64.b64decode(content))
`;

/** Writes a wheel that pip takes, whatever is in it. */
export function writeWheel(
  folder: string,
  name: string,
  version: string,
  files: Readonly<Record<string, WheelFile>>,
): { readonly path: string; readonly sha256: string } {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-${version}-py3-none-any.whl`);
  const info = `${name}-${version}.dist-info`;
  const all: Record<string, WheelFile> = {
    ...files,
    [`${info}/METADATA`]: Buffer.from(
      `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\nRequires-Dist: absent\n`,
    ),
    [`${info}/WHEEL`]: Buffer.from("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    [`${info}/RECORD`]: Buffer.from(""),
  };
  const asked = Object.entries(all).map(([file, content]) => [
    file,
    Buffer.isBuffer(content) ? content.toString("base64") : content.zeros,
  ]);
  const { status, stderr } = spawnSync("python3", ["-c", WRITE], {
    input: JSON.stringify({ path, files: asked }),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the wheel was not written: ${stderr}`);
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}
