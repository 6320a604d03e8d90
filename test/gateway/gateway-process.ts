import { runGateway } from "../../gateway/main.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";

// A gateway process for the tests: its arguments are the pipeline file and the endpoints.
async function run([file = "", ...endpoints]: readonly string[]): Promise<void> {
  const pipeline = readPipeline(file);
  await runGateway({ pipeline, file, endpoints, host: "127.0.0.1", port: 0, logLevel: "silent", drainMs: 50 });
}

run(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
  process.disconnect?.();
});
