import { runGateway } from "../../gateway/main.ts";

// A gateway process for the tests: its arguments are the pipeline file and the endpoints.
const [file = "", ...endpoints] = process.argv.slice(2);
const command = { file, endpoints, host: "127.0.0.1", port: 0, logLevel: "silent", drainMs: 50 } as const;
runGateway(command).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
  process.disconnect?.();
});
