import { spawn } from "node:child_process";
import { VariscaleError } from "../domain/errors.ts";

const CANDIDATES = ["python3", "python"];
/** Exit statuses of PROBE. */
const TOO_OLD = 3;
const NO_PIP = 4;
const PROBE = `
import sys
if sys.version_info < (3, 8): sys.exit(${TOO_OLD})
try: import pip
except ImportError: sys.exit(${NO_PIP})
`;
/** Of what a process says on standard error: the rest is not kept. */
const MOST_CHARACTERS = 64 * 1024;

/** How a process ended; status null: a signal ended it. */
export interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/**
 * The command of a Python that has pip: the one named, or else python3, or else python.
 *
 * @param named null: none is.
 * @throws failed_precondition with what to install.
 */
export async function findPython(named: string | null, signal: AbortSignal): Promise<string> {
  const problems: string[] = [];
  for (const command of named === null ? CANDIDATES : [named]) {
    const problem = await problemOf(command, signal);
    if (problem === null) return command;
    problems.push(problem);
  }
  throw new VariscaleError(
    "failed_precondition",
    `models from Python packages need Python 3.8 or newer with pip: ${problems.join("; ")}. Install it (on Debian: apt-get install python3-pip), or name one by --python.`,
  );
}

async function problemOf(command: string, signal: AbortSignal): Promise<string | null> {
  const ended = await runProcess(command, ["-c", PROBE], { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "is not there" : `can't be run (${code ?? VariscaleError.from(error).message})`;
  });
  if (typeof ended === "string") return `${command} ${ended}`;
  if (ended.status === 0) return null;
  if (ended.status === TOO_OLD) return `${command} is older than that`;
  if (ended.status === NO_PIP) return `${command} has no pip`;
  return `${command} ended with ${ended.status}: ${lastLine(ended.stderr)}`;
}

/** Runs it to its end; rejects when it can't be started, or the signal ends it. */
export function runProcess(
  command: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-MOST_CHARACTERS);
    });
    child.once("error", error => {
      // One that never ran has no end to wait for.
      if (child.pid === undefined) reject(error);
    });
    child.once("close", status => {
      if (options.signal.aborted) reject(options.signal.reason);
      else resolve({ status, stderr });
    });
  });
}

export function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim() ?? "";
}
