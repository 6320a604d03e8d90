/** A gateway in a process of its own, so that its CPU time can be told from the profiler's. */
import { VariscaleError } from "../domain/errors.ts";
import { runGateway } from "../gateway/main.ts";
import { readUnmeasured } from "./read-unmeasured.ts";

const [file = "", ...endpoints] = process.argv.slice(2);

async function run(): Promise<void> {
  const pipeline = readUnmeasured(file);
  await runGateway({ pipeline, file, endpoints, host: "127.0.0.1", port: 0, logLevel: "error", drainMs: 0 });
}

run().catch((error: unknown) => {
  process.stderr.write(`${VariscaleError.from(error).message}\n`);
  process.exit(1);
});
