import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { packageFolder } from "../../runtime/version.ts";

/** The Python of scripts/test-clients.mjs, with the packages of requirements.txt. */
export function pythonEnvironment(): string {
  const folder = process.env["VARISCALE_TEST_PYTHON"];
  assert.ok(folder, "start these tests by `npm run test:clients`");
  return folder;
}

/** Runs a script of this folder and gives what it said. */
export async function runPython(
  script: string,
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly text: string }> {
  const path = join(packageFolder, "test/clients", script);
  const process_ = spawn(join(pythonEnvironment(), "bin/python"), [path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [process_.stdout, process_.stderr])
    stream.on("data", data => {
      text += data;
    });
  const [code] = (await once(process_, "close")) as [number | null];
  return { code, text };
}
