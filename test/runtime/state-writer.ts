import { fileURLToPath } from "node:url";
import { writeState } from "../../runtime/state-file.ts";

/** Writes states of some bytes to a path, as many as asked for, and tells each on a line; an error is told and ends it. */
async function writeStates([path = "", bytes = "0", writes = "1"]: readonly string[]): Promise<void> {
  try {
    for (let n = 1; n <= Number(writes); n++) {
      await writeState(path, { n, filler: String(n % 10).repeat(Number(bytes)) }, Date.now());
      process.stdout.write(`${n}\n`);
    }
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ ...(error as object), message: (error as Error).message })}\n`);
  }
}

// A test runner that imports all files of this folder has arguments of its own.
if (process.argv[1] === fileURLToPath(import.meta.url)) await writeStates(process.argv.slice(2));
