import { spawn } from "node:child_process";
import { join } from "node:path";
import { packageFolder } from "../../../runtime/version.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = join(packageFolder, "dist/cli/main.js");

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** On its standard input. */
  readonly input?: string;
  /** Where it is run. */
  readonly cwd?: string;
  /** In the place of that of this package. */
  readonly main?: string;
}

/** Runs the command line in a process of its own, beside what runs in this one. */
export function runVariscale(
  args: readonly string[],
  { env = {}, input, cwd, main = MAIN }: RunOptions = {},
): Promise<Ended> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...env },
      cwd,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: 150_000,
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    child.once("close", status => resolve({ status, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
